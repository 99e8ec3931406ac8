/** Token controls of a CALM over a socket, on packages that really draw. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXACT_DRAW_LIMIT, type GoldenServer, RARE, startGoldenServer } from './start-golden-server.js';

let server: GoldenServer;
beforeAll(async () => {
  server = await startGoldenServer();
});
afterAll(() => server[Symbol.asyncDispose]());
const ask: GoldenServer['ask'] = body => server.ask(body);

describe('token controls of a CALM', () => {
  it('reach the sampler: what is banned does not come, and none is ignored', async () => {
    const plain = (await ask({})).answer.choices[0]!.token_ids;
    const logit_bias = Object.fromEntries(plain.map(token => [token, -100]));
    const { status, answer } = await ask({ logit_bias });
    expect(status).toBe(200);
    const tokens = answer.choices[0]!.token_ids;
    expect(tokens).toHaveLength(12);
    expect(tokens.filter(token => plain.includes(token))).toEqual([]);
    const all = {
      top_p: 0.9,
      top_k: 40,
      min_p: 0.01,
      presence_penalty: 0.5,
      frequency_penalty: 0.5,
      repetition_penalty: 1.2,
      min_tokens: 3,
    };
    const response = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'calm', prompt: [5, 6], max_tokens: 4, num_candidates: 20, ...all }),
    });
    expect([response.status, response.headers.get('x-calm-ignored-params')]).toEqual([200, null]);
  });

  it('are checked as those of a token model are', async () => {
    const { status, answer } = await ask({ logit_bias: { 100000: -100 } });
    expect([status, answer.error?.param]).toEqual([400, 'logit_bias']);
  });
});

describe('a ban', () => {
  const banAllBut = (kept: readonly number[]) =>
    Object.fromEntries(
      Array.from({ length: server.vocabSize }, (_, id) => id)
        .filter(id => !kept.includes(id))
        .map(id => [id, -100]),
    );

  it('of every token is refused before anything is drawn', async () => {
    const { status, answer } = await ask({ logit_bias: banAllBut([]) });
    expect([status, answer.error]).toEqual([
      400,
      expect.objectContaining({
        param: 'logit_bias',
        message: expect.stringMatching(/^`logit_bias` must leave a token/),
      }),
    ]);
  });

  it.each(['auto', 'exact', 'pool'])(
    'of all that the model writes ends %s with a sentence',
    async sampler => {
      const body = { temperature: 0.5, sampler, logit_bias: banAllBut([RARE]) };
      const { status, answer } = await ask(body);
      expect([status, answer.error]).toEqual([
        400,
        expect.objectContaining({
          code: 'sampler_limit',
          param: 'logit_bias',
          message: expect.stringContaining(
            `None of ${EXACT_DRAW_LIMIT} candidates for one chunk is allowed: \`logit_bias`,
          ),
        }),
      ]);
      expect((await ask({})).status).toBe(200);
    },
  );
});
