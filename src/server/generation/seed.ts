/** Seeds as the sampler takes them: whole numbers from 0 to 2^53 - 1. */
import { randomInt } from 'node:crypto';

/**
 * Folds any 64-bit integer onto 53 bits. Seeds from 0 to 2^53 - 1 stay as they are; of larger and negative ones the
 * highest 11 bits flip the highest that are left, so that small numbers do not meet them. Beyond 2^53 JSON itself
 * rounds numbers, so neighbours may share a seed.
 */
export function foldSeed(seed: number): number {
  const bits = BigInt.asUintN(64, BigInt(seed));
  return Number(BigInt.asUintN(53, bits) ^ ((bits >> 53n) << 42n));
}

/** A seed that nobody can foresee. */
export function randomSeed(): number {
  return randomInt(2 ** 48 - 1);
}
