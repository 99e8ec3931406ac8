/**
 * A pool of N candidates whose counts decide (pool-weights.ts): the law of temperatures above 1, and of `sampler`
 * "pool" where lazy-pool.ts does not serve it: for temperatures that are no 1/n, and token by token.
 *
 * A finite-pool approximation: right in the limit N -> infinity. Cost: N candidates always. A choice is a fallback
 * where the most frequent outcome appears fewer than 1/T times: then none was seen as often as the power asks for.
 * Above T = 1 that cannot be.
 */
import { CandidateDraws } from './candidate-draws.js';
import type { CandidateTree } from './candidate-tree.js';
import type { ChunkDecision } from './decision.js';
import { chooseByCounts } from './on-limit.js';
import { growingRounds } from './round-size.js';
import type { TemperatureLaw } from './settings.js';
import type { RandomStream } from './uniform.js';

/** Draws `poolSize` candidates (N >= 1) and decides: among whole chunks, or token by token along their tree. */
export function* poolDecision(
  poolSize: number,
  temperature: number,
  law: TemperatureLaw,
  random: RandomStream,
): ChunkDecision {
  const draws = new CandidateDraws(poolSize, growingRounds());
  yield* draws.fetchAll();
  const { tree } = draws;
  const choose = chooseByCounts(temperature);
  const isWeak = (nodes: readonly number[]) => largestCount(tree, nodes) < 1 / temperature;
  if (law === 'chunk') {
    const leaf = choose(tree, tree.leaves, random);
    return { chunk: tree.chunk(leaf), draws: poolSize, fallback: isWeak(tree.leaves) };
  }
  let node = 0;
  let fallback = false;
  for (let depth = 1; depth <= draws.chunkSize; depth += 1) {
    const children = tree.children(node);
    fallback ||= isWeak(children);
    node = choose(tree, children, random);
  }
  return { chunk: tree.chunk(node), draws: poolSize, fallback };
}

function largestCount(tree: CandidateTree, nodes: readonly number[]): number {
  return nodes.reduce((largest, node) => Math.max(largest, tree.count(node)), 0);
}
