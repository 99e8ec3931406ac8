import { describe, expect, it } from 'vitest';
import { foldSeed, randomSeed } from './seed.js';

describe('foldSeed', () => {
  it.each([0, 1, 12345, 2 ** 53 - 1])('keeps %d', seed => {
    expect(foldSeed(seed)).toBe(seed);
  });

  it.each([-1, -(2 ** 63), 2 ** 53, 2 ** 63, -12345])('folds %d into the range', seed => {
    const folded = foldSeed(seed);
    expect(Number.isSafeInteger(folded) && folded >= 0).toBe(true);
    expect(foldSeed(seed)).toBe(folded);
  });

  it('keeps different seeds apart', () => {
    expect(new Set([-1, -2, 1, 2, 2 ** 53, 2 ** 54].map(foldSeed)).size).toBe(6);
  });
});

describe('randomSeed', () => {
  it('gives seeds in the range that differ', () => {
    const seeds = Array.from({ length: 100 }, randomSeed);
    expect(seeds.every(seed => Number.isSafeInteger(seed) && seed >= 0)).toBe(true);
    // Two of 100 agree by chance once in 5e10 runs.
    expect(new Set(seeds).size).toBe(100);
  });
});
