/** The candidates that the decisions of a batch want, in rounds that share native calls. */
import type { RowDecision } from './calm-model-decision.js';
import { type DrawBudget, DrawShares } from './draw-budget.js';
import type { DecodeRow } from './model.js';

/** One row of the batch and its decision. */
export interface DrawingRow {
  readonly row: DecodeRow;
  readonly decision: RowDecision;
}

/** Writes the noise of one candidate of a row to place `index` of the buffer. */
export type FillNoise = (noise: Float32Array, index: number, row: DecodeRow, candidate: number) => void;

/** What draws candidates, of any rows in one call: calm-model-draw.ts. */
export interface CandidateSource {
  readonly capacity: number;
  readonly noise: Float32Array;
  readonly nativeCallsPerRun: number;
  setRow(candidate: number, row: number): void;
  run(rows: number, candidates: number): Promise<void>;
  chunk(candidate: number): number[];
}

/** Times and calls of drawing, added up while it runs. */
export interface DrawClock {
  drawMs: number;
  nativeCallCount: number;
}

/** A candidate to be drawn: its row in the batch and its number in the row's decision. */
interface Wish {
  readonly row: number;
  readonly candidate: number;
}

export class DrawRounds {
  readonly #draw: CandidateSource;
  readonly #budget: DrawBudget;
  readonly #fillNoise: FillNoise;

  constructor(draw: CandidateSource, budget: DrawBudget, fillNoise: FillNoise) {
    this.#draw = draw;
    this.#budget = budget;
    this.#fillNoise = fillNoise;
  }

  /** Draws until every decision is settled or the step's candidates are used up. Row i has hidden state i. */
  async run(batch: readonly DrawingRow[], clock: DrawClock): Promise<void> {
    const openRows = batch.filter(({ decision }) => decision.missing > 0).length;
    if (openRows === 0) return;
    const shares = new DrawShares(this.#budget.total(openRows), batch.length);
    for (;;) {
      const grants = shares.grant(batch.map(({ decision }) => decision.missing));
      const wishes = grants.flatMap((count, row) =>
        Array.from({ length: count }, (_, i) => ({
          row,
          candidate: batch[row]!.decision.nextCandidate + i,
        })),
      );
      if (wishes.length === 0) return;
      for (let start = 0; start < wishes.length; start += this.#draw.capacity) {
        await this.#drawIsolated(batch, wishes.slice(start, start + this.#draw.capacity), clock);
      }
    }
  }

  /** One native call for all; where it fails, one for each row, so that the error reaches those that it concerns. */
  async #drawIsolated(
    batch: readonly DrawingRow[],
    wishes: readonly Wish[],
    clock: DrawClock,
  ): Promise<void> {
    try {
      await this.#drawTogether(batch, wishes, clock);
    } catch (error) {
      const rows = [...new Set(wishes.map(({ row }) => row))];
      if (rows.length === 1) batch[rows[0]!]!.decision.fail(error);
      else {
        for (const row of rows) {
          const own = wishes.filter(wish => wish.row === row);
          await this.#drawIsolated(batch, own, clock);
        }
      }
    }
  }

  async #drawTogether(
    batch: readonly DrawingRow[],
    wishes: readonly Wish[],
    clock: DrawClock,
  ): Promise<void> {
    for (const [index, { row, candidate }] of wishes.entries()) {
      this.#draw.setRow(index, row);
      this.#fillNoise(this.#draw.noise, index, batch[row]!.row, candidate);
    }
    const startMs = performance.now();
    await this.#draw.run(batch.length, wishes.length);
    const tookMs = performance.now() - startMs;
    this.#budget.drawTook(tookMs, wishes.length);
    clock.drawMs += tookMs;
    clock.nativeCallCount += this.#draw.nativeCallsPerRun;
    for (const [index, { row }] of wishes.entries()) batch[row]!.decision.give(this.#draw.chunk(index));
  }
}
