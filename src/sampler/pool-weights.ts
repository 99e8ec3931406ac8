/** How much the counts of a pool say for each of its outcomes. */

/**
 * Weights of outcomes that a pool holds `counts` times each, as estimates of p^(1/T) up to a factor.
 *
 * Below T = 1 the paper's Algorithm 2 for any real exponent s = 1/T: the falling power c (c-1) ... (c-s+1), written
 * Gamma(c+1) / Gamma(c+1-s), and 0 for c <= s - 1. At s = n that is n! C(c, n), whose mean is proportional to p^n; where
 * every count is too small, s falls to the largest one, as the cascade does. count^s itself would be biased towards
 * T = 1 where most outcomes appear once: their weights would add up.
 *
 * Above T = 1 it is count^s: there a single appearance must keep its weight.
 */
export function poolWeights(counts: readonly number[], temperature: number): number[] {
  const largest = counts.reduce((a, b) => Math.max(a, b), 0);
  if (temperature >= 1) return counts.map(count => (count / largest) ** (1 / temperature));
  const exponent = Math.min(1 / temperature, largest);
  const peak = logFallingPower(largest, exponent);
  // Over the largest weight, so that none overflows.
  return counts.map(count => (count <= exponent - 1 ? 0 : Math.exp(logFallingPower(count, exponent) - peak)));
}

/**
 * ln of an estimate of p^exponent from an outcome's count of `total` candidates; -Infinity where the count is too small
 * to say. Unlike `poolWeights` it can compare outcomes whose exponents differ.
 */
export function logPoolPower(count: number, total: number, exponent: number): number {
  if (exponent <= 1) return exponent * Math.log(count / total);
  if (count <= exponent - 1) return -Infinity;
  return logFallingPower(count, exponent) - logFallingPower(total, exponent);
}

/** ln of Gamma(c + 1) / Gamma(c + 1 - s), for c > s - 1. */
function logFallingPower(count: number, exponent: number): number {
  return logGamma(count + 1) - logGamma(count + 1 - exponent);
}

/** ln Gamma(x) for x > 0, to 1e-12: Stirling's series after shifting the argument up. */
export function logGamma(value: number): number {
  let shift = 0;
  let x = value;
  for (; x < 10; x += 1) shift -= Math.log(x);
  const series = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5) - 1 / (1680 * x ** 7);
  return shift + (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}
