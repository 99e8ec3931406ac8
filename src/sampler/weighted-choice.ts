/** Choice of one item with probability proportional to its weight. */

/**
 * Index of the chosen weight. `weights` are finite and not negative, at least one is positive; `uniform` is in
 * [0, 1). An item of weight 0 is never chosen.
 */
export function weightedChoice(weights: readonly number[], uniform: number): number {
  let total = 0;
  for (const weight of weights) total += weight;
  let left = uniform * total;
  let last = -1;
  for (const [index, weight] of weights.entries()) {
    if (weight === 0) continue;
    if (left < weight) return index;
    left -= weight;
    last = index;
  }
  // Rounding may leave a rest of one unit in the last place after the last item.
  return last;
}
