/** What a token model honours beyond what a CALM can: penalties, cut-offs, biases, log-probabilities, best_of. */
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readStream } from './completion-suite.js';
import { startTokenServer, type TokenServer } from './start-token-server.js';

let server: TokenServer;
beforeAll(async () => {
  server = await startTokenServer({ strictParams: true });
});
afterAll(() => server[Symbol.asyncDispose]());

const VOCABULARY = 384;
const ask = { model: 'base', prompt: 'Once', ignore_eos: true, seed: 3, max_tokens: 12 } as const;
/** Left to itself the model repeats its last token for ever. */
const varied = { repetition_penalty: 8, temperature: 2 };

interface Choice {
  readonly index: number;
  readonly text: string;
  readonly token_ids: readonly number[];
  readonly finish_reason: string;
  readonly logprobs: {
    readonly tokens: readonly string[];
    readonly token_logprobs: readonly (number | null)[];
    readonly text_offset: readonly number[];
    readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
  } | null;
}

interface Answer {
  readonly choices: readonly Choice[];
  readonly usage: { readonly completion_tokens: number };
  readonly error?: { readonly param: string; readonly message: string; readonly code: string };
}

async function post(body: object, path = '/v1/completions'): Promise<Answer & { readonly status: number }> {
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...ask, return_token_ids: true, ...body }),
  });
  return { status: response.status, ...((await response.json()) as Answer) };
}

const choiceOf = async (body: object): Promise<Choice> => (await post(body)).choices[0]!;
const tokensOf = async (body: object): Promise<readonly number[]> => (await choiceOf(body)).token_ids;

/** How much more probable A is than a token after a prompt, in logits. */
async function leadOver(token: number, prompt: string): Promise<number> {
  const bytes = [...Buffer.from(prompt)];
  const scored = { prompt: [65, token].map(id => [...bytes, id]), echo: true, logprobs: 0, max_tokens: 0 };
  const [a, other] = (await post(scored)).choices.map(choice => choice.logprobs!.token_logprobs.at(-1)!);
  return a! - other!;
}

/** A token over which A leads at the second place, and at the first by no more than half a logit less. */
async function findRival(first: string, second: string): Promise<{ rival: number; lead: number }> {
  for (let rival = 66; rival < 91; rival += 1) {
    const [before, lead] = [await leadOver(rival, first), await leadOver(rival, second)];
    if (before > lead - 0.5) return { rival, lead };
  }
  throw new Error('there is no such token');
}

describe('what changes the draws', () => {
  it.each<[string, object]>([
    ['top_p', { top_p: 0.01 }],
    ['top_k', { top_k: 1 }],
    ['min_p', { min_p: 1 }],
  ])('%s leaves the best token alone, as temperature 0 does', async (_, controls) => {
    const best = await tokensOf({ ...varied, temperature: 0 });
    expect(await tokensOf({ ...varied, ...controls })).toEqual(best);
    expect(await tokensOf(varied)).not.toEqual(best);
  });

  it('logit_bias forces a token with 100 and forbids it with -100', async () => {
    expect(await tokensOf({ logit_bias: { 65: 100 } })).toEqual(Array(12).fill(65));
    const best = await tokensOf({ temperature: 0 });
    const without = await tokensOf({
      temperature: 0,
      logit_bias: Object.fromEntries(best.map(token => [token, -100])),
    });
    expect(without.filter(token => best.includes(token))).toEqual([]);
  });

  it.each<[string, object]>([
    ['presence_penalty', { presence_penalty: 2 }],
    ['frequency_penalty', { frequency_penalty: 2 }],
  ])('%s looks at the answer and not at the prompt', async (_, penalty) => {
    // A wins by 1, less than a penalty of 2: once it is there, its rival is next. The prompt's own A costs nothing.
    const { rival, lead } = await findRival('AAA', 'AAAA');
    const forced = { logit_bias: { 65: 80 + 1 - lead, [rival]: 80 }, temperature: 0, max_tokens: 2 };
    expect(await tokensOf({ ...forced, prompt: 'AAA' })).toEqual([65, 65]);
    expect(await tokensOf({ ...forced, ...penalty, prompt: 'AAA' })).toEqual([65, rival]);
  });

  it('repetition_penalty looks at the prompt too', async () => {
    const forced = { logit_bias: { 65: 99, 66: 80 }, temperature: 0, max_tokens: 1, repetition_penalty: 2 };
    expect(await tokensOf({ ...forced, prompt: 'xyz' })).toEqual([65]);
    expect(await tokensOf({ ...forced, prompt: 'xAz' })).toEqual([66]);
  });

  it('min_tokens keeps the end of the text away', async () => {
    const ending = { ignore_eos: false, logit_bias: { 382: 100 } };
    expect(await choiceOf(ending)).toMatchObject({ token_ids: [], finish_reason: 'stop' });
    const { token_ids, finish_reason } = await choiceOf({ ...ending, min_tokens: 5 });
    expect([token_ids.length, finish_reason]).toEqual([5, 'stop']);
    expect(token_ids).not.toContain(382);
  });

  it('leaves the text of others alone', async () => {
    const alone = await tokensOf({});
    const [plain, controlled] = await Promise.all([tokensOf({}), tokensOf({ top_k: 3, logprobs: 2 })]);
    expect(plain).toEqual(alone);
    expect(await tokensOf({ top_k: 3 })).toEqual(controlled);
  });

  it.each<[string, object, RegExp]>([
    ['logit_bias', { logit_bias: { foo: 1 } }, /keys of `logit_bias` must be token ids.*Given: "foo"/],
    ['logit_bias', { logit_bias: { 384: 1 } }, /from 0 to 383\. Given: "384"/],
    ['logit_bias', { logit_bias: { 1: 101 } }, /from -100 to 100/],
    [
      'logit_bias',
      { logit_bias: Object.fromEntries(Array.from({ length: VOCABULARY }, (_, id) => [id, -100])) },
      /must leave a token/,
    ],
    [
      'logit_bias',
      {
        logit_bias: Object.fromEntries(
          Array.from({ length: VOCABULARY }, (_, id) => [id, -100]).filter(([id]) => id !== 382),
        ),
        min_tokens: 1,
        ignore_eos: false,
      },
      /or, as the end of the text, by `min_tokens`/,
    ],
    ['top_p', { top_p: -0.1 }, /from 0 to 1/],
    ['top_k', { top_k: -2 }, /from -1 up/],
    ['presence_penalty', { presence_penalty: 2.1 }, /from -2 to 2/],
    ['frequency_penalty', { frequency_penalty: -3 }, /from -2 to 2/],
    ['repetition_penalty', { repetition_penalty: 0 }, /above 0/],
    ['logprobs', { logprobs: 21 }, /from 0 to 20/],
    ['best_of', { best_of: 2, n: 3 }, /less than `n` \(3\)\. Given: 2/],
    ['best_of', { best_of: 2, stream: true }, /in a stream/],
    ['prompt_logprobs', { prompt_logprobs: 1 }, /`echo`: true and `logprobs`/],
  ])('refuses %s where it cannot be', async (param, body, message) => {
    const { status, error } = await post(body);
    expect([status, error?.param]).toEqual([400, param]);
    expect(error?.message).toMatch(message);
  });

  it('takes {"foo": 0}, which asks for nothing', async () => {
    expect((await post({ logit_bias: { foo: 0 } })).status).toBe(200);
  });
});

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

describe('best_of', () => {
  it('answers with the most probable of its choices, and counts the tokens of all', async () => {
    const all = await post({ ...varied, n: 6, logprobs: 0 });
    const mean = ({ logprobs }: Choice): number =>
      logprobs!.token_logprobs.reduce<number>((total, logprob) => total + logprob!, 0) /
      logprobs!.tokens.length;
    const ranked = all.choices.toSorted((a, b) => mean(b) - mean(a)).map(({ text }) => text);
    const best = await post({ ...varied, n: 2, best_of: 6 });
    expect(best.choices.map(({ index, text }) => [index, text])).toEqual([
      [0, ranked[0]],
      [1, ranked[1]],
    ]);
    expect(best.choices.map(({ logprobs }) => logprobs)).toEqual([null, null]);
    expect(best.usage.completion_tokens).toBe(6 * 12);
  });

  it('chooses for each prompt of an array', async () => {
    const together = await post({ prompt: ['Once', 'Then'], best_of: 4 });
    const alone = await Promise.all(['Once', 'Then'].map(prompt => post({ prompt, best_of: 4 })));
    expect(together.choices.map(({ text }) => text)).toEqual(alone.map(({ choices }) => choices[0]?.text));
  });
});
