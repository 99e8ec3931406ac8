/** What a plurality counts: whole chunks, or tokens behind the chosen ones; and how far it must look to count them. */
import type { CandidateDraws, Drawing } from './candidate-draws.js';
import type { ChunkClasses } from './chunk-classes.js';
import type { OutcomeCount } from './standing.js';

export interface CountedOutcomes {
  /** No outcome can have more candidates than this, before any look. */
  mostPossible(): number;
  /** Learns of the fetched candidates what decides where `left` more are to come. */
  look(left: number): Drawing<void>;
  /** The outcomes that can still win or tie, at the last look, in order of first appearance. */
  counts(): readonly OutcomeCount[];
  /** The outcome of each fetched candidate; undefined where it is none of those. */
  names(): readonly (number | undefined)[];
}

/** The tokens at one position of the candidates that begin as chosen. */
export class NextTokens implements CountedOutcomes {
  readonly #draws: CandidateDraws;
  readonly #prefix: number;
  readonly #depth: number;

  constructor(draws: CandidateDraws, prefix: number, depth: number) {
    this.#draws = draws;
    this.#prefix = prefix;
    this.#depth = depth;
  }

  mostPossible(): number {
    return this.#draws.fetched;
  }

  *look(): Drawing<void> {
    yield* this.#draws.lookAtAll(this.#prefix, this.#depth);
  }

  counts(): readonly OutcomeCount[] {
    const { tree } = this.#draws;
    return tree.children(this.#prefix).map(name => ({ name, count: tree.count(name) }));
  }

  names(): readonly (number | undefined)[] {
    return Array.from({ length: this.#draws.fetched }, (_, candidate) => {
      const isBelow =
        this.#draws.knownDepth(candidate) >= this.#depth &&
        this.#draws.node(candidate, this.#depth - 1) === this.#prefix;
      return isBelow ? this.#draws.node(candidate, this.#depth) : undefined;
    });
  }
}

/** Whole chunks. Those that cannot win any more are left where they are: lumped together, or not known to be the same. */
export class WholeChunks implements CountedOutcomes {
  readonly #classes: ChunkClasses;
  readonly #needsAll: boolean;
  /** Chunks of fewer candidates cannot win or tie. */
  #enough = 1;

  /** `needsAll`: all chunks are told apart, whether they can win or not. */
  constructor(classes: ChunkClasses, needsAll: boolean) {
    this.#classes = classes;
    this.#needsAll = needsAll;
  }

  mostPossible(): number {
    const { tree, isPartial, fetched } = this.#classes.draws;
    if (!isPartial) return fetched;
    return tree.children(0).reduce((most, node) => Math.max(most, tree.count(node)), 0);
  }

  *look(left: number): Drawing<void> {
    this.#enough = 1;
    if (this.#needsAll) {
      yield* this.#classes.tellApart();
      return;
    }
    // From the largest groups on: what the leader has says which others can still win.
    for (let least = Math.max(2, Math.ceil(this.mostPossible() / 2)); ; ) {
      yield* this.#classes.tellApart(least);
      const best = this.#classes.all().reduce((most, { count }) => Math.max(most, count), 0);
      const enough = Math.max(1, best - left);
      if (least === 2 || (best >= least && enough >= least)) {
        this.#enough = enough;
        return;
      }
      least = Math.max(2, best >= least ? enough : Math.floor(least / 2));
    }
  }

  counts(): readonly OutcomeCount[] {
    const all = this.#classes.all().map(({ first, count }) => ({ name: first, count }));
    return all.filter(({ count }) => count >= this.#enough);
  }

  names(): readonly (number | undefined)[] {
    const contenders = new Set(this.counts().map(({ name }) => name));
    return this.#classes.namesOfCandidates().map(name => (contenders.has(name) ? name : undefined));
  }
}
