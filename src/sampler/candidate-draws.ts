/**
 * The candidates of one decision in the order of drawing, fetched in rounds and read one at a time.
 *
 * Reading is what a decision may depend on; how far the fetching ran ahead is not. A candidate is read at a depth:
 * depth i sees its first i tokens and nothing behind them, which is what the token law needs (docs/sampling.md).
 *
 * Where the model can decode a candidate token by token, only those tokens are decoded that a decision looks at: the
 * first of every candidate, and later ones where they can matter. What is chosen is the same either way.
 */
import { CandidateTree } from './candidate-tree.js';
import type { Chunk, Wish } from './decision.js';
import type { RoundSize } from './round-size.js';

/** A part of a decision: yields wishes like a ChunkDecision, returns a `Result`. */
export type Drawing<Result> = Generator<Wish, Result, readonly Chunk[]>;

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
  /** For each candidate its known nodes in the tree: the beginning of length i at index i - 1. */
  readonly #paths: number[][] = [];
  #read = 0;

  constructor(limit: number, roundSize: RoundSize, partialSize?: number) {
    this.limit = limit;
    this.#roundSize = roundSize;
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

  /** The tree node of the first `depth` tokens of a fetched candidate; the root for depth 0. They must be known. */
  node(candidate: number, depth: number): number {
    return depth === 0 ? 0 : this.#paths[candidate]![depth - 1]!;
  }

  /** The node of all that is known of a fetched candidate. */
  deepest(candidate: number): number {
    return this.#paths[candidate]!.at(-1)!;
  }

  /** Whether two fetched candidates are the same chunk, as far as `lookAtRepeated` has looked: then it knows. */
  isSame(first: number, second: number): boolean {
    return this.deepest(first) === this.deepest(second);
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

  /** Learns of a fetched candidate whether it is below a node, and if so its node of `depth`; of others with it. */
  *look(candidate: number, prefix: number, depth: number): Drawing<boolean> {
    this.#read = Math.max(this.#read, candidate + 1);
    const way = this.tree.path(prefix);
    const isOff = (path: readonly number[]) => way.some((node, i) => i < path.length && path[i] !== node);
    const own = this.#paths[candidate]!;
    while (own.length < depth && !isOff(own)) yield* this.#lookFurther(candidate, own.length, isOff);
    return !isOff(own);
  }

  /** Learns the same of all fetched candidates. */
  *lookAtAll(prefix: number, depth: number): Drawing<void> {
    for (let candidate = 0; candidate < this.fetched; candidate += 1)
      yield* this.look(candidate, prefix, depth);
  }

  /** Learns of all fetched candidates which are equal: more of those only that begin like another one. */
  *lookAtRepeated(): Drawing<void> {
    if (this.#partialSize === undefined) return;
    for (let depth = 1; depth < this.#partialSize; depth += 1) {
      const repeated: number[] = [];
      for (const [candidate, path] of this.#paths.entries()) {
        if (path.length === depth && this.tree.count(path[depth - 1]!) > 1) repeated.push(candidate);
      }
      if (repeated.length > 0) yield* this.#extend(repeated, depth);
    }
  }

  /** The deepest known node of each distinct candidate, in order of first appearance. */
  outcomes(): readonly number[] {
    return [...new Set(this.#paths.map(path => path.at(-1)!))];
  }

  /** The whole chunk of the first candidate whose deepest known node this is. */
  *complete(node: number): Drawing<Chunk> {
    const candidate = this.#paths.findIndex(path => path.at(-1) === node);
    const path = this.#paths[candidate]!;
    while (path.length < this.chunkSize) yield* this.#extend([candidate], path.length);
    return this.chunk(path.at(-1)!);
  }

  /** The tokens on the way to a node. */
  chunk(node: number): Chunk {
    return this.tree.path(node).map(step => this.tree.token(step));
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
      const beginnings = yield { kind: 'beginnings', count: wanted };
      // Whatever else came along is left unread: what the tree holds must not depend on it.
      for (const [token] of beginnings) this.#paths.push([this.tree.extend(0, token!)]);
    }
  }

  /** Decodes the next position of a candidate and of later ones that stand where it does. */
  *#lookFurther(
    candidate: number,
    depth: number,
    isOff: (path: readonly number[]) => boolean,
  ): Drawing<void> {
    const alike: number[] = [];
    for (let other = candidate; other < this.fetched && alike.length < LARGEST_LOOK; other += 1) {
      const path = this.#paths[other]!;
      if (path.length === depth && !isOff(path)) alike.push(other);
    }
    yield* this.#extend(alike, depth);
  }

  *#extend(candidates: readonly number[], position: number): Drawing<void> {
    const tokens = yield { kind: 'position', candidates, position };
    for (const [i, candidate] of candidates.entries()) {
      const path = this.#paths[candidate]!;
      path.push(this.tree.extend(path.at(-1)!, tokens[i]![0]!));
    }
  }
}
