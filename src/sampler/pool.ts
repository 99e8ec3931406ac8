/**
 * The pool algorithm: draw all N candidates, then choose among the distinct chunks by a weight of their counts.
 *
 * T = 1/n: Algorithm 2 of the paper (CALM, arXiv 2510.27688, section 4.2). Weights C(c_x, m) for the largest
 * m <= n that some chunk reaches. The law is P(x)^n / Z in the limit N -> infinity and biased towards T = 1 at
 * finite N; where no chunk repeats, m = 1 and the choice is a plain draw.
 *
 * Any other T, 0 < T <= 2: weights c_x^(1/T), the plug-in estimate of the same power, also a finite-pool
 * approximation.
 *
 * Cost: N candidates always. A choice counts as a fallback where the most frequent chunk appears fewer than 1/T
 * times: then no chunk was seen as often as the power asks for.
 */
import { CandidateTree } from './candidate-tree.js';
import type { ChunkChoice, ChunkDecision } from './decision.js';
import { weightedChoice } from './weighted-choice.js';

/** A power 1/T to which chunk probabilities are raised; `exact` n where the temperature is 1/n. */
export type Sharpening =
  | { readonly kind: 'integer'; readonly n: number }
  | { readonly kind: 'real'; readonly exponent: number };

/** Draws `candidateCount` candidates (N >= 1) and decides; `uniform` in [0, 1) makes the choice. */
export function* poolDecision(
  candidateCount: number,
  sharpening: Sharpening,
  uniform: number,
): ChunkDecision {
  const tree = new CandidateTree();
  for (const chunk of yield candidateCount) tree.add(chunk);
  return chooseFromPool(tree, sharpening, uniform);
}

/** The choice of a full pool: weights by the counts of its chunks, in order of first appearance. */
export function chooseFromPool(tree: CandidateTree, sharpening: Sharpening, uniform: number): ChunkChoice {
  const counts = tree.leaves.map(leaf => tree.count(leaf));
  const largest = counts.reduce((a, b) => Math.max(a, b), 0);
  const power = sharpening.kind === 'integer' ? sharpening.n : sharpening.exponent;
  const weights =
    sharpening.kind === 'integer'
      ? binomialWeights(counts, Math.min(sharpening.n, largest), largest)
      : counts.map(count => (count / largest) ** sharpening.exponent);
  const leaf = tree.leaves[weightedChoice(weights, uniform)]!;
  return { chunk: tree.chunk(leaf), draws: tree.size, fallback: largest < power };
}

/** C(c, m) / C(largest, m) for each count c: the ratio stays finite where the binomials themselves overflow. */
function binomialWeights(counts: readonly number[], m: number, largest: number): number[] {
  return counts.map(count => {
    if (count < m) return 0;
    let ratio = 1;
    for (let i = 0; i < m; i += 1) ratio *= (count - i) / (largest - i);
    return ratio;
  });
}
