/** One row's decision, driven from candidate to candidate until it has chosen. */

import { CalmError } from '../errors.js';
import type { Chunk, ChunkChoice, ChunkDecision, DecisionContext, Wish } from '../sampler/decision.js';
import { DEFAULT_TEMPERATURE_LAW, type TemperatureLaw } from '../sampler/settings.js';
import { startDecision } from '../sampler/start-decision.js';
import type { DecodeRow, OpenDecision } from './model.js';

/** What a decision waits for next: a candidate, whole, or its token at one position. */
export interface CandidatePart {
  readonly candidate: number;
  /** null for all tokens. */
  readonly position: number | null;
}

export interface RowDecisionOptions {
  readonly chunkSize: number;
  /** Candidates after which the exact sampler gives up. */
  readonly exactDrawLimit: number;
  /** Under which laws candidates are decoded token by token. */
  readonly partialLaws: readonly TemperatureLaw[];
}

/** Hands candidates, or their parts, to a ChunkDecision one by one, in the groups that it asks for. */
export class RowDecision implements OpenDecision {
  readonly kind = 'open';
  readonly #chunkSize: number;
  #decision: ChunkDecision | null = null;
  #outcome: ChunkChoice | Error | null = null;
  #given: Chunk[] = [];
  #wish: Wish = 0;
  /** Candidates that were given, whole or in part. */
  #count = 0;

  constructor(row: DecodeRow, { chunkSize, exactDrawLimit, partialLaws }: RowDecisionOptions) {
    this.#chunkSize = chunkSize;
    const context: DecisionContext = {
      ...(row.history ? { history: row.history } : {}),
      ...(row.given ? { given: row.given } : {}),
      ...(partialLaws.includes(row.sampling.temperatureLaw ?? DEFAULT_TEMPERATURE_LAW) ? { chunkSize } : {}),
    };
    this.#attempt(() => {
      this.#decision = startDecision(row.sampling, row.step, exactDrawLimit, context);
      this.#advance([]);
    });
  }

  /** Parts that it still waits for; 0 once it is settled. */
  get missing(): number {
    return this.#outcome === null ? sizeOf(this.#wish) - this.#given.length : 0;
  }

  /** Whether it waits for candidates that it has seen nothing of; a whole one serves it then. */
  get wantsNewCandidates(): boolean {
    return typeof this.#wish === 'number' || this.#wish.kind === 'beginnings';
  }

  /** The `index`-th part that it waits for; `index` is below `missing`. */
  part(index: number): CandidatePart {
    if (typeof this.#wish === 'number') return { candidate: this.#count + index, position: null };
    if (this.#wish.kind === 'beginnings') return { candidate: this.#count + index, position: 0 };
    const { candidates, position } = this.#wish;
    return { candidate: candidates[this.#given.length + index]!, position };
  }

  /** The choice, or the error that ended this row alone; null while parts are missing. */
  get outcome(): ChunkChoice | Error | null {
    return this.#outcome;
  }

  /**
   * Gives the tokens of the next part; a whole chunk will do for a beginning. Ignored once the decision is settled; a
   * wrong number of tokens ends it with an error.
   */
  give(tokens: Chunk): void {
    if (this.#outcome !== null) return;
    const isWhole = tokens.length === this.#chunkSize;
    const isToken = tokens.length === 1 && typeof this.#wish !== 'number';
    if (!isToken && !(isWhole && this.wantsNewCandidates)) {
      this.fail(new Error(`a candidate of ${tokens.length} tokens instead of ${this.#chunkSize}`));
      return;
    }
    if (this.wantsNewCandidates) this.#count += 1;
    this.#given.push(tokens);
    if (this.missing > 0) return;
    const given = this.#given;
    this.#given = [];
    this.#attempt(() => this.#advance(given));
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
    else if (Number.isInteger(sizeOf(result.value)) && sizeOf(result.value) > 0) this.#wish = result.value;
    else
      throw new CalmError(
        'internal',
        `A decision asked for ${sizeOf(result.value)} candidates; at least 1 is a wish.`,
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
    this.#given = [];
  }
}

function sizeOf(wish: Wish): number {
  if (typeof wish === 'number') return wish;
  return wish.kind === 'beginnings' ? wish.count : wish.candidates.length;
}
