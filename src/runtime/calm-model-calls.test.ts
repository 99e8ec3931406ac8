/**
 * What a chunk costs a model of CALM-M's shape in native calls and decoded tokens, where no two chunks agree, as random
 * weights draw: counted, not timed. A position has 700 tokens, so that of 200 candidates about 50 share one with another.
 */
import { expect, test } from 'vitest';
import type { Chunk } from '../sampler/decision.js';
import type { SamplingSettings } from '../sampler/settings.js';
import { uniformAt } from '../sampler/uniform.js';
import { RowDecision } from './calm-model-decision.js';
import { candidatesPerCall } from './calm-model-draw.js';
import { tokensPerCall } from './calm-model-draw-position.js';
import { type CandidateSource, DrawRounds } from './calm-model-rounds.js';
import { DrawBudget } from './draw-budget.js';
import type { DecodeRow } from './model.js';

const K = 4;
const VOCAB_SIZE = 128_257;
const CANDIDATES = 200;
const CHUNKS = 20;

function chunkOf(step: number, candidate: number): Chunk {
  return Array.from({ length: K }, (_, position) =>
    Math.floor(700 * uniformAt({ seed: candidate, choice: 3, step, stream: position })),
  );
}

/** Draws for one row; counts its calls and the tokens that it decodes. The noise carries the candidate's number. */
class CountingSource implements CandidateSource {
  readonly capacity: number;
  readonly noise: Float32Array;
  readonly nativeCallsPerRun = 1;
  calls = 0;
  decodedTokens = 0;
  readonly #isWhole: boolean;
  readonly #draw: (candidate: number) => Chunk;
  readonly #positions: number[] = [];

  constructor(capacity: number, isWhole: boolean, draw: (candidate: number) => Chunk) {
    this.capacity = capacity;
    this.noise = new Float32Array(capacity);
    this.#isWhole = isWhole;
    this.#draw = draw;
  }

  setRow(index: number, _row: number, position: number): void {
    this.#positions[index] = position;
  }

  async run(_rows: number, candidates: number): Promise<void> {
    this.calls += 1;
    this.decodedTokens += candidates * (this.#isWhole ? K : 1);
  }

  chunk(index: number): number[] {
    const chunk = this.#draw(this.noise[index]!);
    return this.#isWhole ? [...chunk] : [chunk[this.#positions[index]!]!];
  }
}

/** Means of a chunk, of a request that has needed whole pools so far. */
async function costOf(setting: Partial<SamplingSettings>) {
  const cost = { calls: 0, decodedTokens: 0 };
  for (let step = 0; step < CHUNKS; step += 1) {
    const draw = (candidate: number) => chunkOf(step, candidate);
    const whole = new CountingSource(
      candidatesPerCall({ chunk_size: K, vocab_size: VOCAB_SIZE }),
      true,
      draw,
    );
    const single = new CountingSource(tokensPerCall(VOCAB_SIZE), false, draw);
    const sampling = { temperature: 0.5, numCandidates: CANDIDATES, seed: 1, choice: 0, ...setting };
    const row: DecodeRow = { position: 0, chunk: [0, 0, 0, 0], step, sampling, expectedDraws: CANDIDATES };
    const decision = new RowDecision(row, {
      chunkSize: K,
      exactDrawLimit: 65_536,
      partialLaws: ['token', 'chunk'],
    });
    // The fused step brings the first candidate along.
    decision.give(draw(0));
    const rounds = new DrawRounds(
      { whole, single },
      new DrawBudget(4096),
      (noise, index, _row, candidate) => {
        noise[index] = candidate;
      },
    );
    await rounds.run([{ row, decision }], { drawMs: 0, nativeCallCount: 0 });
    expect(decision.outcome).toMatchObject({ draws: CANDIDATES });
    cost.calls += (whole.calls + single.calls) / CHUNKS;
    cost.decodedTokens += (whole.decodedTokens + single.decodedTokens) / CHUNKS;
  }
  return cost;
}

test.each([
  { temperatureLaw: 'chunk', temperature: 0.5, calls: 3, decodedTokens: 255 },
  { temperatureLaw: 'chunk', temperature: 0.5, sampler: 'pool', calls: 4, decodedTokens: 255 },
  { temperatureLaw: 'chunk', temperature: 0, calls: 3, decodedTokens: 255 },
  { temperatureLaw: 'chunk', temperature: 1.5, calls: 3, decodedTokens: 255 },
  { temperatureLaw: 'token', temperature: 0.5, calls: 2.5, decodedTokens: 215 },
  { temperatureLaw: 'token', temperature: 0, calls: 2.5, decodedTokens: 215 },
  { temperatureLaw: 'chunk', controls: { topP: 0.9 }, calls: 2.5, decodedTokens: 215 },
] as const)('little more than one token of each candidate, in few calls: %o', async expected => {
  const { calls, decodedTokens, ...setting } = expected;
  const cost = await costOf(setting);
  expect(cost.calls).toBeLessThan(calls);
  expect(cost.decodedTokens).toBeLessThan(decodedTokens);
});
