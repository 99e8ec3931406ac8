/** What a token model honours beyond what a CALM can: penalties, cut-offs, biases, best_of. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTokenServer, type TokenServer } from './start-token-server.js';
import { type Choice, postTo, VOCABULARY, varied } from './token-model-requests.js';

let server: TokenServer;
beforeAll(async () => {
  server = await startTokenServer({ strictParams: true });
});
afterAll(() => server[Symbol.asyncDispose]());

const post = (body: object, path?: string) => postTo(server, body, path);
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
