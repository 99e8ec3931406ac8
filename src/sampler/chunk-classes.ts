/**
 * Which candidates of a decision are the same chunk: all that the chunk law asks of them. A candidate one of whose tokens
 * nobody else has, at the same place and behind the same others, is alone, and need not be known any further.
 *
 * A class is named by its first candidate. The name stays what it is however far candidates are known, and so does the
 * order of classes, that of first appearance: what a decision does with them is the same as with whole chunks.
 */
import { CandidateDraws, type Drawing } from './candidate-draws.js';
import type { Chunk } from './decision.js';
import type { RoundSize } from './round-size.js';

/** A class, and how many candidates it has, or at most has where some of them are not known far enough. */
export interface ChunkClass {
  readonly first: number;
  readonly count: number;
  /** Whether all its candidates are known to be the same. */
  readonly isCertain: boolean;
}

export class ChunkClasses {
  readonly draws: CandidateDraws;
  /** `partialSize`: tokens a chunk, where the model can decode a candidate token by token. */
  constructor(limit: number, roundSize: RoundSize, partialSize?: number) {
    this.draws = new CandidateDraws(limit, roundSize, partialSize, 'backward');
  }

  /**
   * Tells apart all candidates fetched so far, but those of classes that have fewer than `least` at most. `guess` is a
   * candidate whose chunk will be asked for perhaps: it is decoded along where anything is.
   */
  *tellApart(least = 2, guess?: number): Drawing<void> {
    const { draws } = this;
    if (draws.fetched === 0) return;
    for (let depth = 1; depth < draws.chunkSize; depth += 1) {
      const unclear: number[] = [];
      for (let candidate = 0; candidate < draws.fetched; candidate += 1) {
        const isNext = draws.knownDepth(candidate) === depth;
        if (isNext && draws.tree.count(draws.deepest(candidate)) >= Math.max(2, least))
          unclear.push(candidate);
      }
      if (unclear.length > 0) yield* draws.lookFurther(unclear, depth, guess);
    }
  }

  /** The class of each candidate, as far as they are told apart. */
  namesOfCandidates(): number[] {
    const firstOfNode = new Map<number, number>();
    return Array.from({ length: this.draws.fetched }, (_, candidate) => {
      const node = this.draws.deepest(candidate);
      const first = firstOfNode.get(node) ?? candidate;
      firstOfNode.set(node, first);
      return first;
    });
  }

  /** All classes, in order of first appearance. */
  all(): ChunkClass[] {
    const counts = new Map<number, number>();
    for (const first of this.namesOfCandidates()) counts.set(first, (counts.get(first) ?? 0) + 1);
    return [...counts].map(([first, count]) => ({
      first,
      count,
      isCertain: count === 1 || this.draws.knownDepth(first) === this.draws.chunkSize,
    }));
  }

  /** Whether two candidates that are told apart are the same chunk. */
  areSame(one: number, other: number): boolean {
    return this.draws.deepest(one) === this.draws.deepest(other);
  }

  /** The chunk of a class. */
  *chunkOf(first: number): Drawing<Chunk> {
    return yield* this.draws.complete(first);
  }
}
