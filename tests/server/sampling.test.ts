/** The sampler's fields over a socket, on packages that really draw. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { wilsonInterval } from '../../src/sampler/chunk-statistics.js';
import { type GoldenServer, RARE, startGoldenServer } from './start-golden-server.js';

let server: GoldenServer;
beforeAll(async () => {
  server = await startGoldenServer();
});
afterAll(() => server[Symbol.asyncDispose]());
const ask: GoldenServer['ask'] = body => server.ask(body);

describe('chunk_statistics', () => {
  it('counts each chosen token on candidates of their own, and changes no text', async () => {
    const plain = (await ask({ temperature: 0.5 })).answer;
    const { answer } = await ask({ temperature: 0.5, chunk_statistics: true });
    const [choice] = answer.choices;
    expect(choice?.token_ids).toEqual(plain.choices[0]?.token_ids);
    expect(plain.choices[0]).not.toHaveProperty('chunk_statistics');
    expect(answer.timings).toMatchObject({ draws: plain.timings.draws, fallbacks: plain.timings.fallbacks });
    const chunks = choice!.chunk_statistics!;
    expect(chunks).toHaveLength(3);
    expect(chunks.reduce((sum, { draws }) => sum + draws, 0)).toBe(answer.timings.draws);
    for (const { tokens } of chunks) {
      expect(tokens).toHaveLength(4);
      for (const [i, { count, of, probability, interval }] of tokens.entries()) {
        expect(of).toBe(i === 0 ? 40 : tokens[i - 1]!.count);
        expect(probability).toBe(of === 0 ? null : count / of);
        expect(interval).toEqual(wilsonInterval(count, of));
      }
    }
  });

  it('is an error on a token model', async () => {
    const { status, answer } = await ask({ model: 'token', chunk_statistics: true });
    expect(status).toBe(400);
    expect(answer.error).toMatchObject({
      param: 'chunk_statistics',
      message: expect.stringContaining('token model'),
    });
    expect((await ask({ model: 'token', chunk_statistics: false })).status).toBe(200);
  });
});

describe('fallbacks', () => {
  const inMetrics = async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    return Number(/^calm:fallbacks_total\{model_name="calm",engine="0"\} (\d+)$/m.exec(metrics)?.[1]);
  };

  it('are told in the timings and add up in the metrics', async () => {
    const before = await inMetrics();
    const { answer } = await ask({ temperature: 0.5, num_candidates: 2, chunk_statistics: true });
    const told = answer.choices[0]!.chunk_statistics!.filter(({ fallback }) => fallback).length;
    expect(told).toBeGreaterThan(0);
    expect(answer.timings.fallbacks).toBe(told);
    expect((await inMetrics()) - before).toBe(told);
    await ask({ temperature: 1 });
    expect((await inMetrics()) - before).toBe(told);
  });
});

describe('prompt_alignment', () => {
  it('"condition" goes on inside of a chunk as the whole chunks before it do', async () => {
    const plain = (await ask({ temperature: 1, chunk_statistics: true })).answer.choices[0]!;
    for (const count of [1, 3]) {
      const body = {
        prompt: [5, 6, 7, 8, ...plain.token_ids.slice(0, count)],
        max_tokens: 12 - count,
        temperature: 1,
      };
      // The same random numbers: the first candidate begins as given.
      const { answer } = await ask({ ...body, prompt_alignment: 'condition', chunk_statistics: true });
      const [choice] = answer.choices;
      expect(choice!.token_ids).toEqual(plain.token_ids.slice(count));
      expect(choice!.chunk_statistics![0]!.tokens).toHaveLength(4 - count);
      expect(choice!.chunk_statistics!.slice(1)).toEqual(plain.chunk_statistics!.slice(1));
      expect(answer.usage).toMatchObject({ prompt_tokens: 4 + count, completion_tokens: 12 - count });
      expect((await ask(body)).answer.choices[0]!.token_ids).not.toEqual(choice!.token_ids);
    }
    const [first] = plain.token_ids;
    const seeds = [4, 5, 6, 7].map(seed =>
      ask({
        prompt: [5, 6, 7, 8, first],
        seed,
        temperature: 1,
        max_tokens: 3,
        prompt_alignment: 'condition',
      }),
    );
    const draws = (await Promise.all(seeds)).map(({ answer }) => answer.timings.draws);
    expect(Math.max(...draws)).toBeGreaterThan(3);
  });

  it('ends with a sentence where the model never writes what is given', async () => {
    const { status, answer } = await ask({ prompt: [5, 6, 7, 8, RARE], prompt_alignment: 'condition' });
    expect([status, answer.error]).toEqual([
      400,
      expect.objectContaining({
        type: 'invalid_request_error',
        code: 'sampler_limit',
        param: 'prompt_alignment',
        message: expect.stringMatching(/^None of 4096 candidates .* use `prompt_alignment` "bos"\.$/),
      }),
    ]);
  });

  it('is "bos" or "condition"', async () => {
    const { status, answer } = await ask({ prompt_alignment: 'pad' });
    expect([status, answer.error]).toEqual([
      400,
      expect.objectContaining({
        param: 'prompt_alignment',
        message: expect.stringContaining('"bos" or "condition"'),
      }),
    ]);
  });
});

describe('greedy_error', () => {
  it('decides some chunks at temperature 0 earlier, and is off by default', async () => {
    const body = { temperature: 0, temperature_law: 'token', num_candidates: 4096 };
    const whole = (await ask(body)).answer.timings.draws;
    const early = (await ask({ ...body, greedy_error: 0.5 })).answer.timings.draws;
    expect(early).toBeLessThan(whole);
    expect((await ask({ ...body, greedy_error: 0 })).answer.timings.draws).toBe(whole);
  });

  it.each([-0.1, 0.6, '0.1'])('%j is refused, naming the field', async greedy_error => {
    const { status, answer } = await ask({ temperature: 0, greedy_error });
    expect([status, answer.error]).toEqual([
      400,
      expect.objectContaining({ param: 'greedy_error', message: expect.stringContaining('from 0 to 0.5') }),
    ]);
  });
});

describe('decoded positions', () => {
  it('are those of whole candidates, or fewer where decisions look at single tokens', async () => {
    const { timings } = (await ask({ temperature: 0.5, temperature_law: 'chunk' })).answer;
    expect(timings.decoded_positions).toBe(4 * timings.draws);
    const partial = (await ask({ temperature: 0.5, temperature_law: 'token' })).answer.timings;
    expect(partial.decoded_positions).toBeGreaterThanOrEqual(partial.draws);
    expect(partial.decoded_positions).toBeLessThan(4 * partial.draws);
  });
});

describe('best_of a CALM', () => {
  it('is one of the choices that it has, with the counts of all and the statistics of none', async () => {
    const all = (await ask({ n: 3, temperature: 0.5 })).answer;
    const { answer } = await ask({ best_of: 3, temperature: 0.5 });
    expect(answer.choices).toHaveLength(1);
    expect(all.choices.map(({ token_ids }) => token_ids)).toContainEqual(answer.choices[0]?.token_ids);
    expect(answer.choices[0]).not.toHaveProperty('chunk_statistics');
    expect(answer.timings).toMatchObject({ predicted_n: 36, chunks: 9 });
  });
});

describe('sampler and temperature_law', () => {
  it('reach the sampler: each decides in its own way from the same seed', async () => {
    const texts = new Set<string>();
    for (const body of [
      { temperature: 0.5, temperature_law: 'chunk' },
      { temperature: 0.5, temperature_law: 'token' },
      { temperature: 0.5, sampler: 'pool', temperature_law: 'chunk' },
    ]) {
      const { status, answer } = await ask(body);
      expect(status).toBe(200);
      texts.add(`${answer.choices[0]!.token_ids.join()} ${answer.timings.draws}`);
      const again = (await ask(body)).answer;
      expect(again.choices[0]!.token_ids).toEqual(answer.choices[0]!.token_ids);
    }
    expect(texts.size).toBe(3);
  });

  it("the law is the package's own where a request names none", async () => {
    const answerOf = async (body: object) => {
      const { choices, timings } = (await ask({ temperature: 0.5, ...body })).answer;
      return [choices[0]!.token_ids, timings.draws];
    };
    const [byChunk, byToken] = [{ temperature_law: 'chunk' }, { temperature_law: 'token' }];
    expect(await answerOf({ model: 'tokenwise' })).toEqual(await answerOf(byToken));
    expect(await answerOf({ model: 'tokenwise', ...byChunk })).toEqual(await answerOf(byChunk));
    expect(await answerOf({})).toEqual(await answerOf(byChunk));
    expect(await answerOf(byToken)).not.toEqual(await answerOf(byChunk));
  });

  it('exact ends a request that cannot be decided with a sentence, and the server goes on', async () => {
    // Random weights: no two of a chunk's candidates ever agree a hundred times in a row.
    const { status, answer } = await ask({ temperature: 0.01, sampler: 'exact', max_tokens: 4 });
    expect(status).toBe(400);
    expect(answer.error?.message).toMatch(/^`sampler` "exact" drew 333 candidates .* Use "auto"/);
    expect((await ask({})).status).toBe(200);
  });
});
