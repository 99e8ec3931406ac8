import { expect, it } from 'vitest';
import { RowDecision } from './calm-model-decision.js';
import { type CandidateSource, DrawRounds } from './calm-model-rounds.js';
import { DrawBudget } from './draw-budget.js';
import type { DecodeRow } from './model.js';

/** Chunks [row, candidate]; its noise carries the number of the candidate. */
class FakeSource implements CandidateSource {
  readonly capacity = 8;
  readonly noise = new Float32Array(8);
  readonly nativeCallsPerRun = 1;
  readonly #rows: number[] = [];
  /** Candidates of each row, call by call. */
  readonly calls: number[][] = [];
  /** A call with this row fails. */
  brokenRow = -1;
  /** This row gets chunks of a wrong length. */
  shortRow = -1;

  setRow(candidate: number, row: number): void {
    this.#rows[candidate] = row;
  }

  async run(rows: number, candidates: number): Promise<void> {
    const used = this.#rows.slice(0, candidates);
    if (used.includes(this.brokenRow)) throw new Error('the device is on fire');
    this.calls.push(Array.from({ length: rows }, (_, row) => used.filter(other => other === row).length));
  }

  chunk(candidate: number): number[] {
    const row = this.#rows[candidate]!;
    return row === this.shortRow ? [row] : [row, this.noise[candidate]!];
  }
}

/** A pool above T = 1 takes exactly `numCandidates` candidates, all at once after the first. */
function batchOf(counts: readonly number[]) {
  return counts.map((numCandidates, seed) => {
    const sampling = { temperature: 2, numCandidates, seed, choice: 0 };
    const row: DecodeRow = { position: 0, chunk: [0, 0], step: 0, sampling };
    return { row, decision: new RowDecision(row, { chunkSize: 2, exactDrawLimit: 100, partialLaws: [] }) };
  });
}

async function runStep(source: FakeSource, batch: ReturnType<typeof batchOf>, drawsPerStep: number) {
  const sources = { whole: source, single: null };
  const rounds = new DrawRounds(sources, new DrawBudget(drawsPerStep), (noise, index, _row, candidate) => {
    noise[index] = candidate;
  });
  await rounds.run(batch, { drawMs: 0, nativeCallCount: 0 });
}

it('shares calls among rows and stops at the draws of a step, each row with its share', async () => {
  const source = new FakeSource();
  const batch = batchOf([2, 100, 100]);
  await runStep(source, batch, 12);
  expect(batch.slice(1).map(({ decision }) => decision.part(0).candidate)).toEqual([5, 5]);
  expect(batch.map(({ decision }) => decision.outcome !== null)).toEqual([true, false, false]);
  expect(source.calls[0]).toEqual([2, 4, 2]);
});

it('goes on with an open decision where the step before left off', async () => {
  const source = new FakeSource();
  const batch = batchOf([20, 20]);
  for (let step = 0; step < 5; step += 1) await runStep(source, batch, 8);
  for (const { decision } of batch) expect(decision.outcome).toMatchObject({ draws: 20 });
  expect(source.calls.flat().reduce((a, b) => a + b, 0)).toBe(40);
});

it('tells an error of a call to the row that is to blame, and to no other', async () => {
  const source = new FakeSource();
  source.brokenRow = 1;
  const batch = batchOf([5, 5, 5]);
  await runStep(source, batch, 100);
  expect(batch.map(({ decision }) => decision.outcome)).toEqual([
    expect.objectContaining({ draws: 5 }),
    new Error('the device is on fire'),
    expect.objectContaining({ draws: 5 }),
  ]);
});

it('keeps a chunk of a wrong length to its row', async () => {
  const source = new FakeSource();
  source.shortRow = 0;
  const batch = batchOf([5, 5]);
  await runStep(source, batch, 100);
  expect(batch[0]!.decision.outcome).toEqual(new Error('a candidate of 1 tokens instead of 2'));
  expect(batch[1]!.decision.outcome).toMatchObject({ draws: 5 });
});
