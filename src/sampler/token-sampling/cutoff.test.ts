import { expect, it } from 'vitest';
import { uniformAt } from '../uniform.js';
import { cutoff } from './cutoff.js';

/** The same by sorting. */
function sortedCutoff(values: readonly number[], massOf: (value: number) => number, target: number): number {
  let mass = 0;
  for (const value of values.toSorted((a, b) => b - a)) {
    mass += massOf(value);
    if (mass >= target - 1e-12) return value;
  }
  return Math.min(...values);
}

const masses: readonly [string, (value: number) => number][] = [
  ['count', () => 1],
  ['value', value => value],
];

it.each(masses)('agrees with a sorted list where the mass is the %s', (_, massOf) => {
  for (let seed = 0; seed < 400; seed += 1) {
    const random = (stream: number) => uniformAt({ seed, choice: 0, step: 0, stream });
    const length = 1 + Math.floor(random(0) * 30);
    // A coarse grid, so that many values are equal.
    const values = Array.from({ length }, (_, i) => (1 + Math.floor(random(i + 2) * 12)) / 16);
    const total = values.reduce((sum, value) => sum + massOf(value), 0);
    const target = total * random(1) * 1.1;
    expect(cutoff(Float64Array.from(values), length, massOf, target)).toBe(
      sortedCutoff(values, massOf, target),
    );
  }
});

it('looks at no value behind the length', () => {
  expect(cutoff(Float64Array.of(0.25, 0.5, 9), 2, () => 1, 1)).toBe(0.5);
});

it('takes no more than linear time where all values are equal', () => {
  let looks = 0;
  const count = (): number => {
    looks += 1;
    return 1;
  };
  const values = new Float64Array(100_000).fill(0.5);
  expect(cutoff(values, values.length, count, 50_000)).toBe(0.5);
  expect(looks).toBeLessThan(10);
});
