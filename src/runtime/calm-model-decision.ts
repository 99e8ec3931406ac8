/** One row's decision, driven from candidate to candidate until it has chosen. */

import { CalmError } from '../errors.js';
import type { Chunk, ChunkChoice, ChunkDecision } from '../sampler/decision.js';
import { startDecision } from '../sampler/start-decision.js';
import type { DecodeRow, OpenDecision } from './model.js';

/** Hands candidates to a ChunkDecision one by one, in the groups that it asks for. */
export class RowDecision implements OpenDecision {
  readonly kind = 'open';
  readonly #chunkSize: number;
  #decision: ChunkDecision | null = null;
  #outcome: ChunkChoice | Error | null = null;
  #given: Chunk[] = [];
  #wanted = 0;
  #count = 0;

  /** `exactDrawLimit`: candidates after which the exact sampler gives up. */
  constructor(row: DecodeRow, chunkSize: number, exactDrawLimit: number) {
    this.#chunkSize = chunkSize;
    this.#attempt(() => {
      this.#decision = startDecision(
        row.sampling,
        row.step,
        exactDrawLimit,
        row.history ? { history: row.history } : {},
      );
      this.#advance([]);
    });
  }

  /** Candidates that it still waits for; 0 once it is settled. */
  get missing(): number {
    return this.#wanted - this.#given.length;
  }

  /** Number of the next candidate: how many it was given so far. */
  get nextCandidate(): number {
    return this.#count;
  }

  /** The choice, or the error that ended this row alone; null while candidates are missing. */
  get outcome(): ChunkChoice | Error | null {
    return this.#outcome;
  }

  /** Gives the next candidate, which must be a whole chunk; ignored once the decision is settled. */
  give(chunk: Chunk): void {
    if (this.#outcome !== null) return;
    if (chunk.length !== this.#chunkSize) {
      this.fail(new Error(`a candidate of ${chunk.length} tokens instead of ${this.#chunkSize}`));
      return;
    }
    this.#count += 1;
    this.#given.push(chunk);
    if (this.#given.length < this.#wanted) return;
    const candidates = this.#given;
    this.#given = [];
    this.#attempt(() => this.#advance(candidates));
  }

  /** Ends this row with an error that concerns it alone; ignored once the decision is settled. */
  fail(error: unknown): void {
    if (this.#outcome === null) this.#settle(error instanceof Error ? error : new Error(String(error)));
  }

  #advance(candidates: readonly Chunk[]): void {
    // The value of the first call goes nowhere: a generator takes none before its first yield.
    const result = this.#decision?.next(candidates);
    if (result === undefined) return;
    if (result.done) this.#settle(result.value);
    else if (Number.isInteger(result.value) && result.value > 0) this.#wanted = result.value;
    else
      throw new CalmError(
        'internal',
        `A decision asked for ${result.value} candidates; at least 1 is a wish.`,
      );
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.fail(error);
    }
  }

  #settle(outcome: ChunkChoice | Error): void {
    this.#outcome = outcome;
    this.#wanted = 0;
    this.#given = [];
  }
}
