/** The candidates that the decisions of a batch want, in rounds that share native calls. */
import type { CandidatePart, RowDecision } from './calm-model-decision.js';
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
  /** Most candidates, or tokens of candidates, of one call. */
  readonly capacity: number;
  /** Noise of the candidates, one after the other. */
  readonly noise: Float32Array;
  readonly nativeCallsPerRun: number;
  /** Says which row of the batch a candidate belongs to, and which of its tokens is wanted: 0 where all are. */
  setRow(index: number, row: number, position: number): void;
  run(rows: number, candidates: number): Promise<void>;
  /** The tokens of a candidate of the last run. */
  chunk(candidate: number): number[];
}

/** Times and calls of drawing, added up while it runs. */
export interface DrawClock {
  drawMs: number;
  nativeCallCount: number;
}

/** A part of a candidate to be drawn, and its row in the batch. */
interface Part extends CandidatePart {
  readonly row: number;
}

export class DrawRounds {
  readonly #whole: CandidateSource;
  readonly #single: CandidateSource | null;
  readonly #budget: DrawBudget;
  readonly #fillNoise: FillNoise;

  /** `single` gives one token of a candidate; null where the package has no graph for that. */
  constructor(
    sources: { readonly whole: CandidateSource; readonly single: CandidateSource | null },
    budget: DrawBudget,
    fillNoise: FillNoise,
  ) {
    this.#whole = sources.whole;
    this.#single = sources.single;
    this.#budget = budget;
    this.#fillNoise = fillNoise;
  }

  /** Draws until every decision is settled or the step's candidates are used up. Row i has hidden state i. */
  async run(batch: readonly DrawingRow[], clock: DrawClock): Promise<void> {
    const openRows = batch.filter(({ decision }) => decision.missing > 0).length;
    if (openRows === 0) return;
    const allDraw = batch.every(
      ({ row, decision }) => decision.missing > 0 && row.sampling.temperature !== 1,
    );
    const shares = new DrawShares(this.#budget.total(openRows, allDraw), batch.length);
    for (;;) {
      const grants = shares.grant(batch.map(({ decision }) => decision.missing));
      const parts = grants.flatMap((count, row) =>
        Array.from({ length: count }, (_, i) => ({ row, ...batch[row]!.decision.part(i) })),
      );
      if (parts.length === 0) return;
      await this.#drawAll(
        this.#whole,
        batch,
        parts.filter(({ position }) => position === null),
        clock,
      );
      if (this.#single === null) continue;
      await this.#drawAll(
        this.#single,
        batch,
        parts.filter(({ position }) => position !== null),
        clock,
      );
    }
  }

  async #drawAll(
    source: CandidateSource,
    batch: readonly DrawingRow[],
    parts: readonly Part[],
    clock: DrawClock,
  ): Promise<void> {
    for (let start = 0; start < parts.length; start += source.capacity) {
      await this.#drawIsolated(source, batch, parts.slice(start, start + source.capacity), clock);
    }
  }

  /** One native call for all; where it fails, one for each row, so that the error reaches those that it concerns. */
  async #drawIsolated(
    source: CandidateSource,
    batch: readonly DrawingRow[],
    parts: readonly Part[],
    clock: DrawClock,
  ): Promise<void> {
    try {
      await this.#drawTogether(source, batch, parts, clock);
    } catch (error) {
      const rows = [...new Set(parts.map(({ row }) => row))];
      if (rows.length === 1) batch[rows[0]!]!.decision.fail(error);
      else {
        for (const row of rows) {
          const own = parts.filter(part => part.row === row);
          await this.#drawIsolated(source, batch, own, clock);
        }
      }
    }
  }

  async #drawTogether(
    source: CandidateSource,
    batch: readonly DrawingRow[],
    parts: readonly Part[],
    clock: DrawClock,
  ): Promise<void> {
    for (const [index, { row, candidate, position }] of parts.entries()) {
      source.setRow(index, row, position ?? 0);
      this.#fillNoise(source.noise, index, batch[row]!.row, candidate);
    }
    const startMs = performance.now();
    await source.run(batch.length, parts.length);
    const tookMs = performance.now() - startMs;
    this.#budget.drawTook(tookMs, parts.length);
    clock.drawMs += tookMs;
    clock.nativeCallCount += source.nativeCallsPerRun;
    for (const [index, { row }] of parts.entries()) batch[row]!.decision.give(source.chunk(index));
  }
}
