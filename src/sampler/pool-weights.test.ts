import { describe, expect, test } from 'vitest';
import { poolLaw } from '../../tests/reference/algorithm-2.js';
import { logGamma, poolWeights } from './pool-weights.js';
import { RandomStream } from './uniform.js';

const normalized = (weights: readonly number[]) => {
  const total = weights.reduce((a, b) => a + b);
  return weights.map(weight => weight / total);
};

test.each([
  { counts: [4, 3, 2, 1], n: 2 },
  { counts: [4, 3, 2, 1], n: 3 },
  { counts: [1, 1, 1], n: 3 },
  { counts: [2, 1, 2, 1], n: 5 },
  { counts: [7, 6, 1], n: 4 },
])('at T = 1/$n the counts $counts weigh what Algorithm 2 gives them', ({ counts, n }) => {
  const pool = counts.flatMap((count, i) => Array.from({ length: count }, () => [i]));
  const law = poolLaw(pool, n);
  const weights = normalized(poolWeights(counts, 1 / n));
  for (const [i, weight] of weights.entries()) expect(weight).toBeCloseTo(law.get(String(i)) ?? 0, 10);
});

test('between them it runs from one to the other, and a larger count never weighs less', () => {
  const share = (temperature: number) => normalized(poolWeights([3, 1, 1, 1, 1], temperature))[0]!;
  const temperatures = Array.from({ length: 60 }, (_, i) => 0.4 + i / 100);
  const shares = temperatures.map(share);
  expect(shares.toSorted((a, b) => b - a)).toEqual(shares);
  expect(share(0.999)).toBeCloseTo(3 / 7, 2);
  expect(share(0.501)).toBeGreaterThan(0.98);
  expect(Math.abs(share(1 / 1.999) - share(1 / 2.001))).toBeLessThan(0.01);
});

describe('the estimate', () => {
  test.each([0.5, 0.6, 0.7, 0.9])(
    'has a mean near p^(1/T) for what is expected twice or more, T = %d',
    temperature => {
      const random = new RandomStream({ seed: 6, choice: 0, step: 0 });
      const exponent = 1 / temperature;
      // Pools of 100: how often an outcome of probability p appears, and the mean of its unnormalized weight.
      const meanWeight = (p: number) => {
        let sum = 0;
        for (let trial = 0; trial < 3000; trial += 1) {
          let count = 0;
          for (let i = 0; i < 100; i += 1) if (random.next() < p) count += 1;
          if (count > exponent - 1) sum += Math.exp(logGamma(count + 1) - logGamma(count + 1 - exponent));
        }
        return sum / 3000;
      };
      const ratio = meanWeight(0.3) / meanWeight(0.03);
      // The plug-in count^(1/T) would be 6 to 20 % lower at T <= 0.7.
      expect(ratio / 10 ** exponent).toBeGreaterThan(0.94);
      expect(ratio / 10 ** exponent).toBeLessThan(1.06);
    },
  );
});

test('above T = 1 it is count^(1/T), and nothing overflows anywhere', () => {
  const [first, second] = poolWeights([9, 4], 2) as [number, number];
  expect(first / second).toBeCloseTo(3 / 2, 12);
  for (const temperature of [0.001, 0.01, 0.3, 0.99, 1.5]) {
    const weights = poolWeights([4096, 4095, 1], temperature);
    expect(weights.every(weight => weight >= 0 && weight <= 1)).toBe(true);
    expect(weights[0]).toBe(1);
  }
});
