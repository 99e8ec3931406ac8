/**
 * The candidates of one decision as a prefix tree with counts: equal chunks share a leaf, chunks that begin alike
 * share the nodes of their beginning. Node 0 is the root; a node's count is the number of candidates below it.
 * Children come in the order in which they were first seen, so reading the tree is deterministic.
 */
import type { Chunk } from './decision.js';

/** Above any token id, so that (node, token) packs into one exact integer. */
const TOKEN_LIMIT = 2 ** 24;

export class CandidateTree {
  /** Child of a node by token; key = node * TOKEN_LIMIT + token. */
  readonly #childByKey = new Map<number, number>();
  readonly #counts: number[] = [0];
  readonly #tokens: number[] = [-1];
  readonly #parents: number[] = [-1];
  readonly #children: (number[] | null)[] = [null];

  /** Adds one candidate (K >= 1 token ids, all chunks of one length) and returns its leaf. */
  add(chunk: Chunk): number {
    let node = 0;
    this.#counts[0]! += 1;
    for (const token of chunk) {
      node = this.#childFor(node, token);
      this.#counts[node]! += 1;
    }
    return node;
  }

  /** Adds one token to a candidate whose tokens so far lead to `node`; returns the node that it leads to now. */
  extend(node: number, token: number): number {
    if (node === 0) this.#counts[0]! += 1;
    const child = this.#childFor(node, token);
    this.#counts[child]! += 1;
    return child;
  }

  /** Candidates that begin with the tokens on the way to this node. */
  count(node: number): number {
    return this.#counts[node]!;
  }

  /** The last token on the way to this node; -1 for the root. */
  token(node: number): number {
    return this.#tokens[node]!;
  }

  /** All nodes on the way to this node, the root left out: the beginnings of length 1, 2 and so on. */
  path(node: number): readonly number[] {
    const nodes: number[] = [];
    for (let at = node; at > 0; at = this.#parents[at]!) nodes.push(at);
    return nodes.reverse();
  }

  /** Nodes one token further, in order of first appearance. */
  children(node: number): readonly number[] {
    return this.#children[node] ?? [];
  }

  /** The tokens on the way to a node. */
  chunk(node: number): Chunk {
    return this.path(node).map(step => this.token(step));
  }

  #childFor(node: number, token: number): number {
    const key = node * TOKEN_LIMIT + token;
    const known = this.#childByKey.get(key);
    if (known !== undefined) return known;
    const child = this.#counts.length;
    this.#childByKey.set(key, child);
    this.#counts.push(0);
    this.#tokens.push(token);
    this.#parents.push(node);
    this.#children.push(null);
    const siblings = this.#children[node];
    if (siblings) siblings.push(child);
    else this.#children[node] = [child];
    return child;
  }
}
