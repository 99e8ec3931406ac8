/**
 * `min_p`, `top_k` and `top_p` on weights that a pool estimated, in that order, as for a token model. Law: that of the
 * weights, conditioned on what is kept. Cost: no draws of its own, but a request that cuts is decided by pools of N
 * candidates; a sort of the weights of one position.
 */
import type { TokenControls } from '../settings.js';

/**
 * The weights with those that the controls cut set to 0. Equal weights are kept or cut together. At least one stays
 * above 0 if one was.
 */
export function cutTail(weights: readonly number[], controls: TokenControls): number[] {
  const { minP = 0, topK = weights.length, topP = 1 } = controls;
  const sorted = weights.filter(weight => weight > 0).sort((a, b) => b - a);
  const largest = sorted[0] ?? 0;
  const likely = sorted.filter(weight => weight >= minP * largest);
  const kept = likely.filter(weight => weight >= (likely[topK - 1] ?? 0));
  const target = topP * kept.reduce((sum, weight) => sum + weight, 0);
  let mass = 0;
  let threshold = largest;
  for (const weight of kept) {
    if (mass >= target && weight < threshold) break;
    mass += weight;
    threshold = weight;
  }
  return weights.map(weight => (weight >= threshold ? weight : 0));
}

/** Whether the controls cut at all: what they leave can then only be told from a pool. */
export function cutsTail({ topP = 1, topK, minP = 0 }: TokenControls): boolean {
  return topP < 1 || topK !== undefined || minP > 0;
}
