/** The prefix cache on the shipped model: the same texts with it and without it, cold, warm, full, and in company. */
import { afterAll, describe, expect, it } from 'vitest';
import { defaultModels } from '../src/cli/default-models.js';
import { openModels } from '../src/cli/open-models.js';
import { startServer } from './server/start-server.js';

const options = { device: 'cpu', threads: 1, maxNumSeqs: 6 } as const;
const [name] = defaultModels();
const openWith = (prefixCacheMemory: number) =>
  openModels([{ model: name as string }], { ...options, prefixCacheMemory });

type Model = ReturnType<typeof openWith>['models'][0];

const plain = openWith(0);
const roomy = openWith(2 ** 26);
/** Room for 5 blocks of stories-k2, fewer than two of the prompts below fill. */
const tight = openWith(500_000);
afterAll(async () => {
  for (const opened of [plain, roomy, tight]) await opened[Symbol.asyncDispose]();
});

const opening =
  'Once upon a time, there was a little girl named Lily. She loved to play outside in the park. ';
const systemPrompt = opening.repeat(6);

/** Prompts with one beginning and endings of all lengths modulo K, and strangers among them. */
function promptTokens(model: Model, index: number): number[] {
  const tokens = model.encoding!.encode(index % 5 === 4 ? opening : systemPrompt);
  return [...tokens, ...Array.from({ length: index % 7 }, (_, i) => 100 + index + i)];
}

async function generate(model: Model, index: number, signal?: AbortSignal) {
  const tokens: number[] = [];
  let reused = 0;
  const request = {
    promptTokens: promptTokens(model, index),
    maxTokens: 12,
    minTokens: 12,
    sampling: {
      temperature: 1,
      temperatureLaw: 'chunk' as const,
      sampler: 'auto' as const,
      numCandidates: 1,
      seed: index,
      choice: 0,
    },
    stopTokenIds: [],
  };
  for await (const event of model.engine.submit(request, signal)) {
    tokens.push(...event.tokens);
    reused = event.reusedPromptTokens;
  }
  return { tokens, reused };
}

const indexes = Array.from({ length: 20 }, (_, index) => index);

describe('texts with the prefix cache', () => {
  it('are those without it, one after the other: cold, then warm', async () => {
    for (const index of [...indexes, ...indexes]) {
      const expected = await generate(plain.models[0], index);
      const { tokens } = await generate(roomy.models[0], index);
      expect(tokens).toEqual(expected.tokens);
      expect(expected.reused).toBe(0);
    }
    const { reused } = await generate(roomy.models[0], 1);
    const length = promptTokens(roomy.models[0], 1).length;
    // All but the last, unfinished block and the chunk that a decode step feeds.
    expect(reused).toBeGreaterThan(length - 2 * 8 * roomy.models[0].chunkSize);
    expect(reused).toBeLessThan(length);
  });

  it.each([
    ['room for all of them', roomy],
    ['room for few', tight],
  ])('are those without it in company, with aborts and %s', async (_, opened) => {
    const model = opened.models[0];
    const expected = await Promise.all(indexes.map(index => generate(plain.models[0], index)));
    const runs = [...indexes, ...indexes.toReversed()].map(async (index, position) => {
      const abort = new AbortController();
      const text = generate(model, index, abort.signal);
      if (position % 4 === 3) {
        // While earlier requests run: after one of their steps.
        await generate(model, 4, undefined);
        abort.abort();
      }
      const outcome = await text.catch(() => null);
      if (outcome) expect(outcome.tokens).toEqual(expected[index]!.tokens);
      return outcome;
    });
    const done = (await Promise.all(runs)).filter(outcome => outcome !== null);
    expect(done.length).toBeGreaterThanOrEqual(30);
    const stats = model.engine.stats();
    expect(stats).toMatchObject({ leasedSlots: 0, running: 0, failedSteps: 0 });
    expect(stats.prefixCacheBytes).toBeLessThanOrEqual(opened === tight ? 500_000 : 2 ** 26);
    expect(stats.prefixHitTokens).toBeGreaterThan(0);
    expect(stats.prefixHitTokens).toBeLessThan(stats.prefixQueriedTokens);
  });
});

it('is told in usage and in metrics, and changes no answer over a socket', async () => {
  await using opened = openWith(2 ** 26);
  await using server = await startServer(opened.models);
  await using other = await startServer(plain.models);
  const ask = { model: opened.models[0].id, prompt: systemPrompt, max_tokens: 16, seed: 3, temperature: 1 };
  const expected = await other.client.completions.create(ask);
  const cold = await server.client.completions.create(ask);
  const warm = await server.client.completions.create(ask);
  expect([cold.choices[0]!.text, warm.choices[0]!.text]).toEqual(Array(2).fill(expected.choices[0]!.text));
  expect(cold.usage!.prompt_tokens_details!.cached_tokens).toBe(0);
  const cached = warm.usage!.prompt_tokens_details!.cached_tokens!;
  expect(cached).toBeGreaterThan(0.8 * warm.usage!.prompt_tokens);
  const metrics = await (await fetch(`${server.url}/metrics`)).text();
  const metric = (key: string) => Number(new RegExp(`^${key}\\{.*\\} (\\d+)$`, 'm').exec(metrics)?.[1]);
  expect(metric('vllm:prefix_cache_queries_total')).toBe(2 * warm.usage!.prompt_tokens);
  expect(metric('vllm:prefix_cache_hits_total')).toBe(cached);
  expect(metric('calm:prefix_cache_bytes')).toBe(opened.models[0].engine.stats().prefixCacheBytes);
});
