import { afterAll, describe, expect, it } from 'vitest';
import { chosen, decode, GoldenModels, prefill, prompts, row } from '../../tests/golden-models.js';
import type { ChunkChoice } from '../sampler/decision.js';
import { fillNoise } from '../sampler/noise.js';
import { Engine } from './engine.js';
import type { LoadOptions } from './load-model.js';
import type { DecodeRow, OpenDecision, RowOutcome } from './model.js';
import type { GenerationRequest } from './request.js';

const models = new GoldenModels();
afterAll(() => models.close());

describe('decisions that take several steps', () => {
  const temperatures = [1, 0.5, 0, 0.7, 1 / 3, 1, 0.5, 1];
  const rowAt = (index: number): DecodeRow =>
    row(index, temperatures[index]!, 40, index < 4 ? 'token' : 'chunk');

  async function settledAlone(): Promise<ChunkChoice[]> {
    const model = models.open('energy-k4');
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
      const model = models.open('energy-k4', { ...options, drawsPerStep: 8 });
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
    const model = models.open('energy-k4', { drawsPerStep: 8 });
    const alone = models.open('energy-k4');
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
    const model = models.open('energy-k4', { drawsPerStep: 8 });
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
    const model = models.open('energy-k4', { noise });
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
    const model = models.open('energy-k4', { slots: 16, drawsPerStep: DRAWS_PER_STEP });
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
