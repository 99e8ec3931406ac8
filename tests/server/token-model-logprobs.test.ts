/** A token model's log-probabilities, in completions and in chats. */
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readStream } from './completion-suite.js';
import { startTokenServer, type TokenServer } from './start-token-server.js';
import { ask, type Choice, postTo } from './token-model-requests.js';

let server: TokenServer;
beforeAll(async () => {
  server = await startTokenServer({ strictParams: true });
});
afterAll(() => server[Symbol.asyncDispose]());

const post = (body: object, path?: string) => postTo(server, body, path);
const choiceOf = async (body: object): Promise<Choice> => (await post(body)).choices[0]!;

describe('logprobs of a completion', () => {
  const sum = (list: Readonly<Record<string, number>>): number =>
    Object.values(list).reduce((total, logprob) => total + Math.exp(logprob), 0);

  it('have an entry for each token, and its most probable alternatives', async () => {
    const { text, token_ids, logprobs } = await choiceOf({ logprobs: 5, max_tokens: 20 });
    expect(logprobs?.tokens).toHaveLength(token_ids.length);
    for (const [i, token] of logprobs!.tokens.entries()) {
      const top = logprobs!.top_logprobs[i]!;
      expect(Object.keys(top).length).toBeGreaterThanOrEqual(5);
      expect(Object.keys(top).length).toBeLessThanOrEqual(6);
      expect(top[token]).toBe(logprobs!.token_logprobs[i]);
      expect(sum(top)).toBeLessThan(1);
    }
    expect(logprobs?.text_offset[0]).toBe(0);
    expect(logprobs!.text_offset.at(-1)).toBeLessThanOrEqual([...text].length);
  });

  it('0 are those of the tokens alone, and no more than null where none are asked for', async () => {
    const { logprobs } = await choiceOf({ logprobs: 0 });
    for (const [i, token] of logprobs!.tokens.entries()) {
      expect(logprobs!.top_logprobs[i]).toEqual({ [token]: logprobs!.token_logprobs[i] });
    }
    expect((await choiceOf({ logprobs: null })).logprobs).toBeNull();
  });

  it('begin with those of the prompt where it is echoed, as its tokens have them when they are drawn', async () => {
    const drawn = await choiceOf({ logprobs: 2, prompt: 'Once', logit_bias: { 32: 100 }, max_tokens: 3 });
    const echoed = await choiceOf({ logprobs: 2, prompt: 'Once   ', echo: true, max_tokens: 0 });
    expect(echoed).toMatchObject({ text: 'Once   ', token_ids: [], finish_reason: 'length' });
    expect(echoed.logprobs?.tokens).toEqual([...'Once   ']);
    expect(echoed.logprobs?.text_offset).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const first = await choiceOf({ logprobs: 2, prompt: '', logit_bias: { 79: 100 }, max_tokens: 1 });
    expect(echoed.logprobs?.token_logprobs[0]).toBeCloseTo(first.logprobs!.token_logprobs[0]!, 4);
    for (const i of [0, 1, 2]) {
      expect(echoed.logprobs!.token_logprobs[4 + i]).toBeCloseTo(drawn.logprobs!.token_logprobs[i]!, 4);
    }
    const both = await choiceOf({ logprobs: 2, prompt: 'Once   ', echo: true, max_tokens: 2 });
    expect(both.logprobs?.tokens).toHaveLength(9);
    expect(both.logprobs?.token_logprobs.slice(0, 7)).toEqual(echoed.logprobs?.token_logprobs);
    expect((await post({ logprobs: 2, echo: true, max_tokens: 0 })).usage.completion_tokens).toBe(0);
  });

  it('of a prompt without tokens, and of one that begins as documents do', async () => {
    const empty = await choiceOf({ logprobs: 1, prompt: '', echo: true, max_tokens: 1 });
    expect(empty.logprobs?.tokens).toHaveLength(1);
    const ids = await choiceOf({ logprobs: 1, prompt: [381, 65, 66], echo: true, max_tokens: 0 });
    expect(ids.logprobs?.tokens).toEqual(['<|begin|>', 'A', 'B']);
    expect(ids.logprobs?.token_logprobs.map(logprob => logprob === null)).toEqual([true, false, false]);
    const text = await choiceOf({ logprobs: 1, prompt: [65, 66], echo: true, max_tokens: 0 });
    expect(text.logprobs?.token_logprobs[1]).toBeCloseTo(ids.logprobs!.token_logprobs[2]!, 5);
  });

  it('have the token that ends the text, which is drawn though it is not delivered', async () => {
    const ending = { ignore_eos: false, logit_bias: { 382: 100 }, logprobs: 1, echo: true, max_tokens: 1 };
    const { text, token_ids, logprobs } = await choiceOf(ending);
    expect([text, token_ids]).toEqual(['Once', []]);
    expect(logprobs?.tokens).toEqual([...'Once', '<|end|>']);
    expect(logprobs?.text_offset).toEqual([0, 1, 2, 3, 4]);
    const chat = await server.client.chat.completions.create({
      model: 'base',
      messages: [{ role: 'user', content: 'Hi' }],
      logit_bias: { 382: 100 },
      logprobs: true,
    });
    expect(chat.choices[0]?.logprobs?.content).toEqual([]);
  });

  it('name bytes that are no characters, and count offsets in characters', async () => {
    const bytes = [...Buffer.from('é😀b')];
    const forced = { prompt: bytes, echo: true, logprobs: 0, max_tokens: 1, logit_bias: { 98: 100 } };
    const { text, logprobs } = await choiceOf(forced);
    expect(text).toBe('é😀bb');
    expect(logprobs?.tokens).toEqual([
      ...['c3', 'a9', 'f0', '9f', '98', '80'].map(hex => `bytes:\\x${hex}`),
      'b',
      'b',
    ]);
    expect(logprobs?.text_offset).toEqual([0, 0, 1, 1, 1, 1, 2, 3]);
    const asIds = await choiceOf({ ...forced, return_tokens_as_token_ids: true });
    expect(asIds.logprobs?.tokens.at(-1)).toBe('token_id:98');
    expect((await choiceOf({ logprobs: 0, logit_bias: { 300: 100 } })).logprobs?.tokens[0]).toBe(
      'token_id:300',
    );
  });

  it('are streamed with the text that they belong to, and end with it at a stop string', async () => {
    const params = { ...ask, logprobs: 2, echo: true, max_tokens: 30 };
    const whole = await choiceOf(params);
    const stop = whole.text.slice(12, 14);
    const cut = await choiceOf({ ...params, stop });
    expect(cut.logprobs!.tokens.length).toBe(4 + cut.token_ids.length);
    for (const [more, expected] of [[{}, whole] as const, [{ stop }, cut] as const]) {
      const { events } = await readStream(
        await server.client.completions.create({ ...params, ...more, stream: true }),
      );
      const parts = events.map(event => event.choices[0]!.logprobs!);
      expect(parts.flatMap(part => part.tokens)).toEqual(expected.logprobs?.tokens);
      expect(parts.flatMap(part => part.token_logprobs)).toEqual(expected.logprobs?.token_logprobs);
      expect(parts.flatMap(part => part.text_offset)).toEqual(expected.logprobs?.text_offset);
    }
  });
});

describe('logprobs of a chat', () => {
  const chat = {
    model: 'base',
    messages: [{ role: 'user' as const, content: 'Hi' }],
    seed: 5,
    max_tokens: 9,
  };

  it('have tokens, bytes and alternatives, whole and streamed', async () => {
    const params = { ...chat, logprobs: true, top_logprobs: 3, ignore_eos: true };
    const whole = await server.client.chat.completions.create(params);
    const content = whole.choices[0]!.logprobs!.content!;
    expect(content).toHaveLength(9);
    for (const { token, logprob, bytes, top_logprobs } of content) {
      expect(top_logprobs).toHaveLength(3);
      expect(logprob).toBeLessThanOrEqual(0);
      if (!token.startsWith('token_id:') && !token.startsWith('bytes:')) {
        expect(Buffer.from(bytes!).toString()).toBe(token);
      }
    }
    const streamed: OpenAI.ChatCompletionTokenLogprob[] = [];
    for await (const event of await server.client.chat.completions.create({ ...params, stream: true })) {
      streamed.push(...(event.choices[0]?.logprobs?.content ?? []));
    }
    expect(streamed).toEqual(content);
  });

  it('are null where they are not asked for, and asked for by `logprobs` alone', async () => {
    const plain = await server.client.chat.completions.create(chat);
    expect(plain.choices[0]?.logprobs).toBeNull();
    const refused = await server.client.chat.completions
      .create({ ...chat, top_logprobs: 2 })
      .catch(error => error);
    expect(refused).toMatchObject({ status: 400, param: 'top_logprobs' });
  });
});
