import { afterAll, describe, expect, it } from 'vitest';
import { GoldenPackages } from '../../tests/golden-package.js';
import { GoldenFile } from '../../tests/reference/golden-file.js';
import type { ChunkChoice } from '../sampler/decision.js';
import { fillNoise } from '../sampler/noise.js';
import type { TemperatureLaw } from '../sampler/settings.js';
import { Engine } from './engine.js';
import { type LoadOptions, loadModel } from './load-model.js';
import type { DecodeRow, LanguageModel, OpenDecision, RowOutcome } from './model.js';
import { openPackage } from './open-package.js';
import { OrtEnvironment } from './ort/environment.js';
import { OrtLibrary } from './ort/library.js';
import type { GenerationRequest } from './request.js';

const packages = new GoldenPackages();
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 2 });
const opened: LanguageModel[] = [];
const directories = {
  'energy-k4': packages.convert('energy-k4', 'fp32'),
  'energy-k2-bin-bf16': packages.convert('energy-k2-bin-bf16', 'fp32'),
};
afterAll(() => {
  for (const model of opened) model.close();
  environment.close();
  packages.remove();
});

/** Draws enough for any decision in one step. */
const MANY = 1_000_000;

function open(name: keyof typeof directories, options: LoadOptions = {}): LanguageModel {
  const source = openPackage(directories[name]);
  const { model } = loadModel(environment, source, {
    slots: 8,
    device: 'cpu',
    drawsPerStep: MANY,
    ...options,
  });
  opened.push(model);
  return model;
}

/** The chunks of a step in which every row was decided. */
async function decode(model: LanguageModel, rows: readonly DecodeRow[]): Promise<ChunkChoice[]> {
  const { choices } = await model.step({ prefill: [], decode: rows });
  return choices.map(choice => {
    if (choice instanceof Error) throw choice;
    if ('kind' in choice) throw new Error('a decision was left open');
    return choice;
  });
}

/** A choice without what it cost: where candidates are decoded whole, that is more. */
const chosen = ({ decodedPositions: _, ...choice }: ChunkChoice) => choice;

const prompts = [3, 1, 9, 2, 14, 5, 7, 2].map((chunks, row) =>
  Array.from({ length: chunks * 4 }, (_, i) => (i * 37 + row * 101 + 11) % 380),
);

function row(
  index: number,
  temperature: number,
  numCandidates = 40,
  temperatureLaw: TemperatureLaw = 'chunk',
): DecodeRow {
  const prompt = prompts[index] as number[];
  return {
    position: prompt.length / 4 - 1,
    chunk: prompt.slice(-4),
    step: index,
    sampling: { temperature, numCandidates, seed: 1000 + index, choice: index % 3, temperatureLaw },
  };
}

/** Everything of a prompt but its last chunk, which is decoded. */
async function prefill(model: LanguageModel, index: number, slot: number): Promise<void> {
  const tokens = (prompts[index] as number[]).slice(0, -4);
  if (tokens.length > 0) await model.step({ prefill: [{ slot, position: 0, tokens }], decode: [] });
}

describe.each(['energy-k4', 'energy-k2-bin-bf16'] as const)('%s', name => {
  it.each([
    ['the fused step', {}],
    ['backbone, head and decoder apart', { split: true }],
  ])('generates what PyTorch generated from the same noise, through %s', async (_, options) => {
    const golden = new GoldenFile(name);
    const noise = golden.floats('rollout_noise');
    const size = golden.shape('rollout_noise').at(-1) as number;
    const model = open(name, {
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
      const model = open('energy-k4');
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
      const model = open('energy-k4', options);
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
    const model = open('energy-k4');
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
    const model = open('energy-k4');
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
    const model = open('energy-k4', { exactDrawLimit: 60 });
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
    const model = open('energy-k4');
    const behind = { ...row(1, 1), position: model.contextChunks };
    await expect(model.step({ prefill: [], decode: [behind] })).rejects.toThrow('A row of 65 chunks exceeds');
    expect(await decode(model, [row(1, 1)])).toHaveLength(1);
  });

  it("reports ONNX Runtime's own words for an id that no vocabulary has", async () => {
    const model = open('energy-k4');
    const wrong = { ...row(1, 1), chunk: [1, 2, 3, 99_999] };
    await expect(model.step({ prefill: [], decode: [wrong] })).rejects.toThrow(
      /^ONNX Runtime could not run the graph .*step\.onnx: .*indices element out of data bounds/,
    );
  });
});

describe('decisions that take several steps', () => {
  const temperatures = [1, 0.5, 0, 0.7, 1 / 3, 1, 0.5, 1];
  const rowAt = (index: number): DecodeRow =>
    row(index, temperatures[index]!, 40, index < 4 ? 'token' : 'chunk');

  async function settledAlone(): Promise<ChunkChoice[]> {
    const model = open('energy-k4');
    const alone: ChunkChoice[] = [];
    for (const index of prompts.keys()) {
      await prefill(model, index, 0);
      alone.push(...(await decode(model, [rowAt(index)])));
    }
    return alone;
  }

  it.each([{}, { split: true }])(
    'choose what they choose in one step, at mixed temperatures (%o)',
    async options => {
      const model = open('energy-k4', { ...options, drawsPerStep: 8 });
      for (const index of prompts.keys()) await prefill(model, index, index);
      const choices: ChunkChoice[] = [];
      let rows = prompts.map((_, index) => rowAt(index));
      const calls: number[] = [];
      for (let step = 0; choices.filter(Boolean).length < prompts.length; step += 1) {
        expect(step).toBeLessThan(60);
        const outcome = await model.step({ prefill: [], decode: rows });
        calls.push(outcome.timings.nativeCallCount);
        rows = rows.map((before, index) => {
          const result = outcome.choices[index]!;
          if (result instanceof Error) throw result;
          if ('kind' in result) return { ...before, open: result };
          choices[index] ??= result;
          // A row that is done is asked for the same chunk again: others still draw beside it.
          return rowAt(index);
        });
      }
      expect(choices.map(chosen)).toEqual((await settledAlone()).map(chosen));
      expect(calls.length).toBeGreaterThan(5);
    },
  );

  it('go on in another slot, where the hidden state is computed anew', async () => {
    const model = open('energy-k4', { drawsPerStep: 8 });
    const alone = open('energy-k4');
    await prefill(alone, 6, 0);
    const seeds = [1, 2, 3, 4, 5, 6];
    const texts = { moved: [] as ChunkChoice[], settled: [] as ChunkChoice[] };
    for (const seed of seeds) {
      const moving = { ...rowAt(6), sampling: { ...rowAt(6).sampling, seed } };
      texts.settled.push(...(await decode(alone, [moving])));
      await prefill(model, 4, 0);
      await prefill(model, 6, 1);
      const first = await model.step({ prefill: [], decode: [rowAt(4), moving] });
      expect(first.choices[1]).toMatchObject({ kind: 'open' });
      await model.moveSlot(1, 0, moving.position);
      const open = first.choices[1] as OpenDecision;
      let result: RowOutcome = open;
      for (let step = 0; step < 10 && 'kind' in result; step += 1) {
        result = (await model.step({ prefill: [], decode: [{ ...moving, open }] })).choices[0]!;
      }
      if (!('chunk' in result)) throw new Error('no chunk in ten steps');
      texts.moved.push(result);
    }
    expect(texts.moved).toEqual(texts.settled);
    expect(new Set(texts.settled.map(({ chunk }) => chunk.join())).size).toBeGreaterThan(1);
  });

  it('need no decode call while their state lies where it was', async () => {
    const model = open('energy-k4', { drawsPerStep: 8 });
    await prefill(model, 4, 0);
    const first = await model.step({ prefill: [], decode: [row(4, 1.5, 1000)] });
    const second = await model.step({
      prefill: [],
      decode: [{ ...row(4, 1.5, 1000), open: first.choices[0] as OpenDecision }],
    });
    expect(first.timings.nativeCallCount).toBe(2);
    expect(second.timings.nativeCallCount).toBe(1);
  });

  it('keep a noise that fails to its row', async () => {
    const noise: NonNullable<LoadOptions['noise']> = (out, offset, size, key) => {
      if (key.seed === 1004 && key.candidate === 7) throw new Error('no more noise');
      fillNoise(out, offset, size, key);
    };
    const model = open('energy-k4', { noise });
    await prefill(model, 4, 0);
    await prefill(model, 6, 1);
    const { choices } = await model.step({ prefill: [], decode: [row(4, 1.5), rowAt(6)] });
    expect(choices[0]).toEqual(new Error('no more noise'));
    expect(choices[1]).toEqual((await settledAlone())[6]);
  });
});

describe('a request beside fifteen that draw much', () => {
  const STEPS = 40;
  const DRAWS_PER_STEP = 64;

  /** Chunks of a plain text in 40 steps of the engine, and the engine's counters. */
  async function plainBeside(others: number) {
    const model = open('energy-k4', { slots: 16, drawsPerStep: DRAWS_PER_STEP });
    const engine = new Engine(model, { bosTokenId: 381, prefillChunksPerStep: 1000 });
    const abort = new AbortController();
    const request = (temperature: number, seed: number): GenerationRequest => ({
      promptTokens: prompts[seed % 8]!,
      maxTokens: 4 * STEPS,
      minTokens: 0,
      stopTokenIds: [],
      sampling: { temperature, numCandidates: 200, sampler: 'exact', seed, choice: 0 },
    });
    const slow = Array.from({ length: others }, async (_, seed) => {
      let chunks = 0;
      for await (const _event of engine.submit(request(0.2, seed), abort.signal)) chunks += 1;
      return chunks;
    });
    const settled = Promise.allSettled(slow);
    const tokens: number[] = [];
    for await (const event of engine.submit(request(1, 99))) tokens.push(...event.tokens);
    const { steps, openDecisions, draws } = engine.stats();
    abort.abort();
    await settled;
    return { tokens, steps, openDecisions, draws };
  }

  it('gets a chunk in every step, as alone, and the same text', async () => {
    const alone = await plainBeside(0);
    const beside = await plainBeside(15);
    expect(alone.steps).toBe(STEPS);
    expect(beside.steps).toBe(STEPS);
    expect(beside.tokens).toEqual(alone.tokens);
    // The others did draw all the while.
    expect(beside.openDecisions).toBeGreaterThan(10 * STEPS);
  });
});

describe('moveSlot', () => {
  it('moves a row with everything that it holds', async () => {
    const model = open('energy-k4');
    await prefill(model, 4, 0);
    const [expected] = await decode(model, [row(4, 1)]);
    // Row 0 is overwritten by another prompt before row 5 moves onto it.
    await prefill(model, 4, 5);
    await prefill(model, 2, 0);
    await model.moveSlot(5, 0, row(4, 1).position);
    expect(await decode(model, [row(4, 1)])).toEqual([expected]);
  });
});
