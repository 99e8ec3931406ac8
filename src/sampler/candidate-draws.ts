/**
 * The candidates of one decision in the order of drawing, fetched in rounds and read one at a time.
 *
 * Reading is what a decision may depend on; how far the fetching ran ahead is not. A candidate is read at a depth:
 * depth i sees its first i tokens and nothing behind them, which is what the token law needs (docs/sampling.md).
 *
 * Where the model can decode a candidate token by token, only those tokens are decoded that a decision looks at: one
 * of every candidate, and others where they can matter. What is chosen is the same either way.
 */
import { CandidateTree } from './candidate-tree.js';
import type { CandidateToken, Chunk, Wish } from './decision.js';
import type { RoundSize } from './round-size.js';

/** A part of a decision: yields wishes like a ChunkDecision, returns a `Result`. */
export type Drawing<Result> = Generator<Wish, Result, readonly Chunk[]>;

/**
 * In which order a candidate's tokens are decoded: from the first on, as the token law must, or from the last back, which
 * tells whole chunks apart sooner, as later tokens are less certain.
 */
export type DecodingOrder = 'forward' | 'backward';

/** A candidate, and how many of its tokens are to be known. */
interface Target {
  readonly candidate: number;
  readonly depth: number;
}

/** Candidates that are looked at together at a later position: enough for one native call to pay. */
const LARGEST_LOOK = 16;

export class CandidateDraws {
  /** All candidates fetched so far, as far as they are known. */
  readonly tree = new CandidateTree();
  /** Most candidates that may be fetched. */
  readonly limit: number;
  readonly #roundSize: RoundSize;
  /** Tokens a chunk where candidates are decoded token by token, else undefined. */
  readonly #partialSize: number | undefined;
  readonly #order: DecodingOrder;
  /** For each candidate its known nodes in the tree: that of its first i tokens in the order of decoding at index i - 1. */
  readonly #paths: number[][] = [];
  #read = 0;

  /** `partialSize`: tokens a chunk, where they are decoded one by one in this order. */
  constructor(limit: number, roundSize: RoundSize, partialSize?: number, order: DecodingOrder = 'forward') {
    this.limit = limit;
    this.#roundSize = roundSize;
    this.#order = order;
    this.#partialSize = partialSize === 1 ? undefined : partialSize;
  }

  /** Candidates fetched so far. */
  get fetched(): number {
    return this.#paths.length;
  }

  /** Candidates that were read, from the first on. */
  get read(): number {
    return this.#read;
  }

  /** Tokens a chunk; known once a candidate was fetched. */
  get chunkSize(): number {
    return this.#partialSize ?? this.#paths[0]!.length;
  }

  /** Whether candidates are decoded token by token. */
  get isPartial(): boolean {
    return this.#partialSize !== undefined;
  }

  /** The tree node of the first `depth` tokens of a fetched candidate; the root for depth 0. They must be known. */
  node(candidate: number, depth: number): number {
    return depth === 0 ? 0 : this.#paths[candidate]![depth - 1]!;
  }

  /** The node of all that is known of a fetched candidate. */
  deepest(candidate: number): number {
    return this.#paths[candidate]!.at(-1)!;
  }

  /** How many tokens of a fetched candidate are known. */
  knownDepth(candidate: number): number {
    return this.#paths[candidate]!.length;
  }

  /** Fetches until this candidate is there; false where the limit, or another one that is given, forbids it. */
  *reach(candidate: number, limit = this.limit): Drawing<boolean> {
    if (candidate >= limit) return false;
    while (candidate >= this.fetched)
      yield* this.#fetch(
        this.#roundSize(this.fetched, () => this.#counts(), limit - this.fetched),
        limit,
      );
    return true;
  }

  /** Fetches all candidates up to the limit. */
  *fetchAll(): Drawing<void> {
    if (this.fetched < this.limit) yield* this.#fetch(this.limit, this.limit);
  }

  /** Fetches so many more candidates, or as many as the limit, or another one that is given, leaves. */
  *fetchMore(count: number, limit = this.limit): Drawing<void> {
    if (this.fetched < limit) yield* this.#fetch(count, limit);
  }

  /** Learns of a fetched candidate whether it is below a node, and if so its node of `depth`; of others with it. */
  *look(candidate: number, prefix: number, depth: number): Drawing<boolean> {
    this.#read = Math.max(this.#read, candidate + 1);
    const way = this.tree.path(prefix);
    const own = this.#paths[candidate]!;
    while (own.length < depth && !isOff(own, way)) yield* this.#lookAlong(candidate, way);
    return !isOff(own, way);
  }

  /** Learns the same of all fetched candidates, and counts them as read. */
  *lookAtAll(prefix: number, depth: number): Drawing<void> {
    this.#read = this.fetched;
    const way = this.tree.path(prefix);
    for (let known = 1; known < depth; known += 1) {
      const below = this.#paths.flatMap((path, candidate) =>
        path.length === known && !isOff(path, way) ? [candidate] : [],
      );
      yield* this.#extend(below.map(candidate => ({ candidate, depth: known + 1 })));
    }
  }

  /** Learns the next token of each of these candidates, which are known to this depth, and all tokens of one other. */
  *lookFurther(candidates: readonly number[], depth: number, whole?: number): Drawing<void> {
    const targets: Target[] = candidates.map(candidate => ({
      candidate,
      depth: candidate === whole ? this.chunkSize : depth + 1,
    }));
    if (whole !== undefined && !candidates.includes(whole)) {
      targets.push({ candidate: whole, depth: this.chunkSize });
    }
    yield* this.#extend(targets);
  }

  /** The whole chunk of a candidate. */
  *complete(candidate: number): Drawing<Chunk> {
    yield* this.#extend([{ candidate, depth: this.chunkSize }]);
    return this.chunk(this.deepest(candidate));
  }

  /** The tokens on the way to a node, in the order of the text. */
  chunk(node: number): Chunk {
    const tokens = this.tree.chunk(node);
    return this.#isBackward ? tokens.toReversed() : tokens;
  }

  get #isBackward(): boolean {
    return this.#partialSize !== undefined && this.#order === 'backward';
  }

  /** How many candidates there are of each that is known so far. */
  #counts(): number[] {
    const counts = new Map<number, number>();
    for (const path of this.#paths) counts.set(path.at(-1)!, (counts.get(path.at(-1)!) ?? 0) + 1);
    return [...counts.values()];
  }

  *#fetch(count: number, limit: number): Drawing<void> {
    const wanted = Math.min(count, limit - this.fetched);
    if (this.#partialSize === undefined) {
      for (const chunk of yield wanted) this.#paths.push([...this.tree.path(this.tree.add(chunk))]);
    } else {
      const tokens = yield { kind: 'fresh', count: wanted, position: this.#position(1) };
      for (const [token] of tokens) this.#paths.push([this.tree.extend(0, token!)]);
    }
  }

  /** Learns the next token of a candidate and of later ones that stand where it does. */
  *#lookAlong(candidate: number, way: readonly number[]): Drawing<void> {
    const known = this.knownDepth(candidate);
    const targets: Target[] = [];
    for (let other = candidate; other < this.fetched && targets.length < LARGEST_LOOK; other += 1) {
      const path = this.#paths[other]!;
      if (path.length === known && !isOff(path, way)) targets.push({ candidate: other, depth: known + 1 });
    }
    yield* this.#extend(targets);
  }

  /** Decodes what is not known of these candidates down to their depths. */
  *#extend(targets: readonly Target[]): Drawing<void> {
    const tokens: CandidateToken[] = targets.flatMap(({ candidate, depth }) => {
      const known = this.knownDepth(candidate);
      return Array.from({ length: Math.max(0, depth - known) }, (_, i) => ({
        candidate,
        position: this.#position(known + 1 + i),
      }));
    });
    if (tokens.length === 0) return;
    const deepest = targets.reduce((least, { depth }) => Math.min(least, depth), this.chunkSize);
    const found = yield { kind: 'tokens', tokens, remaining: this.chunkSize - deepest };
    for (const [i, { candidate }] of tokens.entries()) {
      const path = this.#paths[candidate]!;
      path.push(this.tree.extend(path.at(-1)!, found[i]![0]!));
    }
  }

  /** Where in a chunk the token is that is decoded as the `depth`-th, from 1. */
  #position(depth: number): number {
    return this.#isBackward ? this.chunkSize - depth : depth - 1;
  }
}

/** Whether a candidate is known to leave a way through the tree. */
function isOff(path: readonly number[], way: readonly number[]): boolean {
  return way.some((node, i) => i < path.length && path[i] !== node);
}
