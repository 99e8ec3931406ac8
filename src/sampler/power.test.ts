import { describe, expect, test } from 'vitest';
import { type Coin, exponentOf, mendoCoin } from './power.js';
import { RandomStream } from './uniform.js';

const random = new RandomStream({ seed: 4, choice: 0, step: 0 });

test.each([
  [0.5, 2, 0],
  [0.333, 3, 0],
  [0.34, 2, 0.941],
  [0.2, 5, 0],
  [0.996, 1, 0],
  [1.004, 1, 0],
  [0.99, 1, 0.0101],
  [0.7, 1, 0.4286],
  [0.4, 2, 0.5],
  [0.501, 2, 0],
  [0.01, 100, 0],
])('1 / %d = %i + %d', (temperature, repeats, fraction) => {
  const exponent = exponentOf(temperature)!;
  expect(exponent.repeats).toBe(repeats);
  expect(exponent.fraction).toBeCloseTo(fraction, 3);
});

test.each([1.01, 1.5, 2])('no agreement of draws flattens a law: T = %d', temperature => {
  expect(exponentOf(temperature)).toBeNull();
});

describe("Mendo's coin", () => {
  /** Throws it for an outcome of probability p: does it pass, after how many draws? */
  function toss(coin: Coin, p: number): { success: boolean; draws: number } {
    const uniform = random.next();
    let survival = 1;
    for (let draws = 1; ; draws += 1) {
      if (random.next() < p) return { success: true, draws };
      survival *= coin.goOn(draws);
      if (uniform >= survival) return { success: false, draws };
    }
  }

  test.each([
    { p: 0.2, a: 0.5 },
    { p: 0.5, a: 0.4286 },
    { p: 0.7, a: 0.9 },
    { p: 0.1, a: 0.2 },
  ])('succeeds with probability p^a after p^(a - 1) draws: p = $p, a = $a', ({ p, a }) => {
    const coin = mendoCoin(a);
    const trials = 10_000;
    let successes = 0;
    let draws = 0;
    let squares = 0;
    for (let i = 0; i < trials; i += 1) {
      const result = toss(coin, p);
      if (result.success) successes += 1;
      draws += result.draws;
      squares += result.draws ** 2;
    }
    // Four standard errors: a right coin fails one of these two with probability 6e-5 each.
    const mean = draws / trials;
    const error = Math.sqrt((squares / trials - mean ** 2) / trials);
    const wanted = p ** a;
    expect(Math.abs(successes / trials - wanted)).toBeLessThan(
      4 * Math.sqrt((wanted * (1 - wanted)) / trials),
    );
    expect(Math.abs(mean - p ** (a - 1))).toBeLessThan(4 * error);
  });
});
