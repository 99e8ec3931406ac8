/**
 * Temperatures that are no 1/n: draw N candidates, then choose a chunk with weight count^(1/T), the plug-in
 * estimate of P(x)^(1/T) / Z.
 *
 * A finite-pool approximation: right in the limit N -> infinity, biased towards T = 1 at finite N (a chunk that
 * appears once has the weight of a plain draw). Cost: N candidates always.
 *
 * A choice is a fallback where the most frequent chunk appears fewer than 1/T times: then no chunk was seen as often
 * as the power asks for. Above T = 1 that cannot be.
 */
import { CandidateTree } from './candidate-tree.js';
import type { ChunkChoice, ChunkDecision } from './decision.js';
import { weightedChoice } from './weighted-choice.js';

/** Draws `poolSize` candidates (N >= 1) and decides by the power 1/T; `uniform` in [0, 1) makes the choice. */
export function* poolDecision(poolSize: number, exponent: number, uniform: number): ChunkDecision {
  const tree = new CandidateTree();
  for (const chunk of yield poolSize) tree.add(chunk);
  return chooseByPower(tree, exponent, uniform);
}

/** A choice among the chunks of a pool (at least one) with weight count^exponent. */
export function chooseByPower(tree: CandidateTree, exponent: number, uniform: number): ChunkChoice {
  const counts = tree.leaves.map(leaf => tree.count(leaf));
  const largest = counts.reduce((a, b) => Math.max(a, b), 0);
  // Over the largest count, so that no power overflows.
  const weights = counts.map(count => (count / largest) ** exponent);
  const leaf = tree.leaves[weightedChoice(weights, uniform)]!;
  return { chunk: tree.chunk(leaf), draws: tree.size, fallback: largest < exponent };
}
