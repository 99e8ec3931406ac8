import { afterAll, describe, expect, it } from 'vitest';
import { chosen, decode, GoldenModels, prefill, prompts, row } from '../../tests/golden-models.js';
import { GoldenFile } from '../../tests/reference/golden-file.js';
import type { ChunkChoice } from '../sampler/decision.js';

const models = new GoldenModels();
afterAll(() => models.close());

describe.each(['energy-k4', 'energy-k2-bin-bf16'] as const)('%s', name => {
  it.each([
    ['the fused step', {}],
    ['backbone, head and decoder apart', { split: true }],
  ])('generates what PyTorch generated from the same noise, through %s', async (_, options) => {
    const golden = new GoldenFile(name);
    const noise = golden.floats('rollout_noise');
    const size = golden.shape('rollout_noise').at(-1) as number;
    const model = models.open(name, {
      ...options,
      noise: (out, offset, _size, key) =>
        out.set(noise.subarray(key.step * size, (key.step + 1) * size), offset),
    });
    const prompt = golden.ids('rollout_prompt');
    const expected = golden.ids('rollout_tokens');
    golden.close();
    const chunkSize = model.chunkSize;
    await model.step({
      prefill: [{ slot: 0, position: 0, tokens: prompt.slice(0, -chunkSize) }],
      decode: [],
    });
    const generated: number[] = [];
    let chunk: readonly number[] = prompt.slice(-chunkSize);
    for (let step = 0; step < expected.length / chunkSize; step += 1) {
      const position = prompt.length / chunkSize - 1 + step;
      const sampling = { temperature: 1, numCandidates: 1, seed: 0, choice: 0 };
      const [choice] = await decode(model, [{ position, chunk, step, sampling }]);
      chunk = choice?.chunk ?? [];
      generated.push(...chunk);
    }
    expect(generated).toEqual(expected);
  });
});

describe('a step', () => {
  it.each([
    [1, 'chunk'],
    [0.5, 'chunk'],
    [0, 'chunk'],
    [0.7, 'token'],
    [0.5, 'token'],
    [0, 'token'],
  ] as const)(
    'chooses for each row what it chooses for it alone, at temperature %d under the %s law',
    async (temperature, law) => {
      const model = models.open('energy-k4');
      const alone: ChunkChoice[] = [];
      for (const index of prompts.keys()) {
        await prefill(model, index, 0);
        alone.push(...(await decode(model, [row(index, temperature, 40, law)])));
      }
      for (const index of prompts.keys()) await prefill(model, index, index);
      const together = await decode(
        model,
        prompts.map((_, index) => row(index, temperature, 40, law)),
      );
      expect(together).toEqual(alone);
      expect(new Set(together.map(choice => choice.chunk.join())).size).toBeGreaterThan(1);
    },
  );

  it('chooses the same through the fused graphs, without decoding by position, and through their parts', async () => {
    const results = [];
    for (const options of [{}, { partialDraw: false }, { split: true }]) {
      const model = models.open('energy-k4', options);
      for (const index of prompts.keys()) await prefill(model, index, index);
      results.push(
        await decode(
          model,
          prompts.map((_, index) =>
            row(index, [1, 0.5, 0][index % 3] as number, 40, index < 4 ? 'token' : 'chunk'),
          ),
        ),
      );
    }
    const [fused, whole, split] = results.map(choices => choices.map(chosen));
    expect(whole).toEqual(fused);
    expect(split).toEqual(fused);
  });

  it('prefills some slots and decodes others, with one native call for each part', async () => {
    const model = models.open('energy-k4');
    await prefill(model, 2, 0);
    const [expected] = await decode(model, [row(2, 1)]);
    await prefill(model, 0, 1);
    const { choices, timings } = await model.step({
      prefill: [{ slot: 0, position: 0, tokens: (prompts[2] as number[]).slice(0, -4) }],
      decode: [row(2, 1), row(0, 1)],
    });
    expect(choices[0]).toEqual(expected);
    expect(timings.nativeCallCount).toBe(2);
    expect(timings.prefillMs).toBeGreaterThan(0);
    expect(timings.decodeMs).toBeGreaterThan(0);
    expect(timings.drawMs).toBe(0);
  });

  it('draws many candidates in few calls, all rows together', async () => {
    const model = models.open('energy-k4');
    await prefill(model, 2, 0);
    await prefill(model, 4, 1);
    // Above T = 1 a decision wants all of its candidates at once, 1500 - 1 a row after the first.
    const { choices, timings } = await model.step({
      prefill: [],
      decode: [row(2, 1.5, 1500), { ...row(4, 1.5, 1500), position: 13 }],
    });
    expect(choices).toMatchObject([{ draws: 1500 }, { draws: 1500 }]);
    expect(timings.nativeCallCount).toBe(1 + Math.ceil((2 * 1499) / 1024));
  });

  it('ends the row that the exact sampler cannot decide within the limit, and no other', async () => {
    const model = models.open('energy-k4', { exactDrawLimit: 60 });
    await prefill(model, 2, 0);
    await prefill(model, 4, 1);
    const sampling = { ...row(2, 0.02).sampling, sampler: 'exact' as const };
    const { choices } = await model.step({
      prefill: [],
      decode: [
        { ...row(2, 0.02), sampling },
        { ...row(4, 1), position: 13 },
      ],
    });
    expect(choices[0]).toMatchObject({ code: 'sampler_limit', message: expect.stringContaining('drew 60') });
    expect(choices[1]).toMatchObject({ draws: 1 });
  });

  it('refuses a position behind the end of the cache, and goes on working', async () => {
    const model = models.open('energy-k4');
    const behind = { ...row(1, 1), position: model.contextChunks };
    await expect(model.step({ prefill: [], decode: [behind] })).rejects.toThrow('A row of 65 chunks exceeds');
    expect(await decode(model, [row(1, 1)])).toHaveLength(1);
  });

  it("reports ONNX Runtime's own words for an id that no vocabulary has", async () => {
    const model = models.open('energy-k4');
    const wrong = { ...row(1, 1), chunk: [1, 2, 3, 99_999] };
    await expect(model.step({ prefill: [], decode: [wrong] })).rejects.toThrow(
      /^ONNX Runtime could not run the graph .*step\.onnx: .*indices element out of data bounds/,
    );
  });
});

describe('moveSlot', () => {
  it('moves a row with everything that it holds', async () => {
    const model = models.open('energy-k4');
    await prefill(model, 4, 0);
    const [expected] = await decode(model, [row(4, 1)]);
    // Row 0 is overwritten by another prompt before row 5 moves onto it.
    await prefill(model, 4, 5);
    await prefill(model, 2, 0);
    await model.moveSlot(5, 0, row(4, 1).position);
    expect(await decode(model, [row(4, 1)])).toEqual([expected]);
  });
});
