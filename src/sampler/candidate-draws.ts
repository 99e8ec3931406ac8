/**
 * The candidates of one decision in the order of drawing, fetched in rounds and read one at a time.
 *
 * Reading is what a decision may depend on; how far the fetching ran ahead is not. A candidate is read at a depth:
 * depth i sees its first i tokens and nothing behind them, which is what the token law needs (docs/sampling.md).
 */
import { CandidateTree } from './candidate-tree.js';
import type { Chunk } from './decision.js';
import type { RoundSize } from './round-size.js';

/** A part of a decision: yields wishes for candidates like a ChunkDecision, returns a `Result`. */
export type Drawing<Result> = Generator<number, Result, readonly Chunk[]>;

export class CandidateDraws {
  /** All candidates fetched so far. */
  readonly tree = new CandidateTree();
  /** Most candidates that may be fetched. */
  readonly limit: number;
  readonly #roundSize: RoundSize;
  /** For each candidate its nodes in the tree: the beginning of length i at index i - 1. */
  readonly #paths: (readonly number[])[] = [];

  constructor(limit: number, roundSize: RoundSize) {
    this.limit = limit;
    this.#roundSize = roundSize;
  }

  /** Candidates fetched so far. */
  get fetched(): number {
    return this.#paths.length;
  }

  /** Tokens a chunk; known once a candidate was fetched. */
  get chunkSize(): number {
    return this.#paths[0]!.length;
  }

  /** The tree node of the first `depth` tokens of a fetched candidate; the root for depth 0. */
  node(candidate: number, depth: number): number {
    return depth === 0 ? 0 : this.#paths[candidate]![depth - 1]!;
  }

  /** Fetches until this candidate is there; false where the limit, or another one that is given, forbids it. */
  *reach(candidate: number, limit = this.limit): Drawing<boolean> {
    if (candidate >= limit) return false;
    while (candidate >= this.fetched) yield* this.#fetch(this.#roundSize(this.fetched), limit);
    return true;
  }

  /** Fetches all candidates up to the limit. */
  *fetchAll(): Drawing<void> {
    if (this.fetched < this.limit) yield* this.#fetch(this.limit, this.limit);
  }

  *#fetch(count: number, limit: number): Drawing<void> {
    const chunks = yield Math.min(count, limit - this.fetched);
    for (const chunk of chunks) this.#paths.push(this.tree.path(this.tree.add(chunk)));
  }
}
