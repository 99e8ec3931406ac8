/**
 * How a request's seed becomes a Philox key. Seeds use 53 of the key's 64 bits; the eleven left over say what the
 * numbers are for, so that no two uses can ever share a number.
 */

/** Uses of random numbers, each with its own key space. */
export const RANDOM_DOMAIN = { noise: 0, uniform: 1, selection: 2, normal: 3, normalNoise: 4 } as const;
export type RandomDomain = (typeof RANDOM_DOMAIN)[keyof typeof RANDOM_DOMAIN];

const SEED_HIGH_BITS = 21;

/** First word of the Philox key; 0 <= seed < 2^53. */
export function keyLow(seed: number): number {
  return seed >>> 0;
}

/** Second word of the Philox key: the seed's upper 21 bits, and the domain above them. */
export function keyHigh(seed: number, domain: RandomDomain): number {
  return Math.floor(seed / 2 ** 32) + domain * 2 ** SEED_HIGH_BITS;
}
