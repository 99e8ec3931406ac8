/** One row's decision, driven from candidate to candidate until it has chosen. */

import { CalmError } from '../errors.js';
import type {
  Chunk,
  ChunkChoice,
  ChunkDecision,
  DecisionContext,
  TokensWish,
  Wish,
} from '../sampler/decision.js';
import type { TemperatureLaw } from '../sampler/settings.js';
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

/**
 * A call for one position of so few candidates costs about as much as one for all their positions, and the decision often
 * asks for the next position of the same ones then: 6 against 8 ms for six of CALM-M. For each position that may be asked
 * for next, and over the rows that share the calls.
 */
const FEW_CANDIDATES = 6;

/** A part that the decision waits for, and its places in the answer. */
interface OpenPart extends CandidatePart {
  readonly places: readonly number[];
}

/** Hands candidates, or their parts, to a ChunkDecision one by one, in the groups that it asks for. */
export class RowDecision implements OpenDecision {
  readonly kind = 'open';
  readonly #chunkSize: number;
  readonly #sharers: number;
  #decision: ChunkDecision | null = null;
  #outcome: ChunkChoice | Error | null = null;
  #wish: Wish = 0;
  /** What the wish gets, in its order, and the parts that it waits or waited for. */
  #answer: Chunk[] = [];
  #open: readonly OpenPart[] = [];
  #filled = 0;
  /** Candidates that were given, whole or in part. */
  #count = 0;
  /** Those that came whole though a part was asked for: their other parts need no call. */
  readonly #known = new Map<number, Chunk>();

  /** `sharers`: rows of the batch whose candidates share the native calls. */
  constructor(row: DecodeRow, { chunkSize, exactDrawLimit, partialLaws }: RowDecisionOptions, sharers = 1) {
    this.#chunkSize = chunkSize;
    this.#sharers = Math.max(1, sharers);
    const context: DecisionContext = {
      ...(row.history ? { history: row.history } : {}),
      ...(row.given ? { given: row.given } : {}),
      outlook: { sharers: this.#sharers, expectedDraws: row.expectedDraws },
      ...(partialLaws.length > 0 ? { chunkSize, partialLaws } : {}),
    };
    this.#attempt(() => {
      this.#decision = startDecision(row.sampling, row.step, exactDrawLimit, context);
      this.#advance([]);
    });
  }

  /** Parts that it still waits for; 0 once it is settled. */
  get missing(): number {
    return this.#outcome === null ? this.#open.length - this.#filled : 0;
  }

  /** Whether it waits for candidates that it has seen nothing of; a whole one serves it then. */
  get wantsNewCandidates(): boolean {
    return typeof this.#wish === 'number' || this.#wish.kind === 'fresh';
  }

  /** The `index`-th part that it waits for; `index` is below `missing`. */
  part(index: number): CandidatePart {
    const { candidate, position } = this.#open[this.#filled + index]!;
    return { candidate, position };
  }

  /** The choice, or the error that ended this row alone; null while parts are missing. */
  get outcome(): ChunkChoice | Error | null {
    return this.#outcome;
  }

  /**
   * Gives the tokens of the next part; a whole chunk will do for any part. Ignored once the decision is settled; a
   * wrong number of tokens ends it with an error.
   */
  give(tokens: Chunk): void {
    if (this.#outcome !== null) return;
    const isWhole = tokens.length === this.#chunkSize;
    const isToken = tokens.length === 1 && typeof this.#wish !== 'number';
    if (!isToken && !isWhole) {
      this.fail(new Error(`a candidate of ${tokens.length} tokens instead of ${this.#chunkSize}`));
      return;
    }
    const { candidate, places } = this.#open[this.#filled]!;
    if (this.wantsNewCandidates) this.#count += 1;
    if (isWhole && typeof this.#wish !== 'number') this.#known.set(candidate, tokens);
    for (const place of places) this.#answer[place] = isWhole ? this.#partOf(tokens, place) : tokens;
    this.#filled += 1;
    if (this.missing === 0) this.#attempt(() => this.#advance(this.#answer));
  }

  /** Ends this row with an error that concerns it alone; ignored once the decision is settled. */
  fail(error: unknown): void {
    if (this.#outcome === null) this.#settle(error instanceof Error ? error : new Error(String(error)));
  }

  /** Goes on with the wish's answer, and on from there as long as what it wishes for next is known. */
  #advance(answer: readonly Chunk[]): void {
    let next = answer;
    for (;;) {
      // The value of the first call goes nowhere: a generator takes none before its first yield.
      const result = this.#decision?.next(next);
      if (result === undefined) return;
      if (result.done) {
        this.#settle(result.value);
        return;
      }
      this.#wishFor(result.value);
      if (this.#open.length > 0) return;
      next = this.#answer;
    }
  }

  #wishFor(wish: Wish): void {
    const size = sizeOf(wish);
    if (!Number.isInteger(size) || size < 1) {
      throw new CalmError('internal', `A decision asked for ${size} candidates; at least 1 is a wish.`);
    }
    this.#wish = wish;
    this.#answer = [];
    this.#filled = 0;
    if (typeof wish !== 'number' && wish.kind === 'tokens') {
      this.#open = this.#partsOf(wish);
      for (const [place, { candidate }] of wish.tokens.entries()) {
        const known = this.#known.get(candidate);
        if (known !== undefined) this.#answer[place] = this.#partOf(known, place);
      }
      return;
    }
    const position = typeof wish === 'number' ? null : wish.position;
    this.#open = Array.from({ length: size }, (_, i) => ({
      candidate: this.#count + i,
      position,
      places: [i],
    }));
  }

  /** What a wish for tokens needs beyond what is known: each of them, or whole candidates where those cost no more. */
  #partsOf({ tokens, remaining }: TokensWish): OpenPart[] {
    const parts: OpenPart[] = tokens.flatMap(({ candidate, position }, place) =>
      this.#known.has(candidate) ? [] : [{ candidate, position, places: [place] }],
    );
    const candidates = [...new Set(parts.map(({ candidate }) => candidate))];
    if (candidates.length * this.#sharers > FEW_CANDIDATES * remaining) return parts;
    return candidates.map(candidate => ({
      candidate,
      position: null,
      places: parts.flatMap(part => (part.candidate === candidate ? part.places : [])),
    }));
  }

  /** Of a whole candidate what the wish asks for at this place. */
  #partOf(chunk: Chunk, place: number): Chunk {
    const wish = this.#wish;
    if (typeof wish === 'number') return chunk;
    return [chunk[wish.kind === 'fresh' ? wish.position : wish.tokens[place]!.position]!];
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
    this.#answer = [];
    this.#open = [];
    this.#filled = 0;
  }
}

function sizeOf(wish: Wish): number {
  if (typeof wish === 'number') return wish;
  return wish.kind === 'fresh' ? wish.count : wish.tokens.length;
}
