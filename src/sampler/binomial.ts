/** Binomial coefficients as ratios, which stay finite where the coefficients themselves do not. */

/** C(count, m) / C(largest, m), for 0 <= m <= largest and count <= largest; 0 where count < m. */
export function binomialRatio(count: number, largest: number, m: number): number {
  if (count < m) return 0;
  let ratio = 1;
  for (let i = 0; i < m; i += 1) ratio *= (count - i) / (largest - i);
  return ratio;
}
