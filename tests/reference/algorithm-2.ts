/**
 * Algorithm 2 of the paper (CALM, arXiv 2510.27688, section 4.2), word for word: the slow twin of the lazy pool.
 * Draw N; for m = n .. 1 take the chunks that appear at least m times, weight C(count, m), stop at the first m
 * that has any.
 */
import type { Chunk } from '../../src/sampler/decision.js';

/** Probability of each chunk of a pool, keyed by its tokens joined with commas. */
export function poolLaw(pool: readonly Chunk[], n: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const chunk of pool) counts.set(chunk.join(), (counts.get(chunk.join()) ?? 0) + 1);
  for (let m = n; m >= 1; m -= 1) {
    const weights = new Map<string, number>();
    for (const [key, count] of counts) if (count >= m) weights.set(key, binomial(count, m));
    const total = [...weights.values()].reduce((a, b) => a + b, 0);
    if (weights.size > 0) return new Map([...weights].map(([key, weight]) => [key, weight / total] as const));
  }
  throw new Error('an empty pool');
}

/** The law of the algorithm's output where candidates have the law P: the mean over all pools of N. */
export function expectedPoolLaw(law: readonly number[], poolSize: number, n: number): Map<string, number> {
  const mean = new Map<string, number>(law.map((_, token) => [String(token), 0]));
  const visit = (pool: Chunk[], probability: number) => {
    if (pool.length < poolSize) {
      for (const [token, p] of law.entries()) visit([...pool, [token]], probability * p);
      return;
    }
    for (const [key, p] of poolLaw(pool, n)) mean.set(key, mean.get(key)! + p * probability);
  };
  visit([], 1);
  return mean;
}

function binomial(count: number, m: number): number {
  let product = 1;
  for (let i = 0; i < m; i += 1) product *= (count - i) / (i + 1);
  return product;
}
