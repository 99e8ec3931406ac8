import { describe, expect, test } from 'vitest';
import { type Coin, exponentOf, mendoCoin, shortCoin, shortCoinDraws, shortCoinPasses } from './power.js';
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

/** Throws it for an outcome of probability p: does it pass, after how many draws? */
function toss(coin: Coin, p: number): { success: boolean; draws: number } {
  const uniform = random.next();
  if (uniform < coin.outright) return { success: true, draws: 0 };
  let survival = 1;
  for (let draws = 1; ; draws += 1) {
    if (random.next() < p) return { success: true, draws };
    survival *= coin.goOn(draws);
    if (uniform >= survival) return { success: false, draws };
  }
}

describe("Mendo's coin", () => {
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

describe('the short coin', () => {
  test.each([
    { p: 0.001, a: 1 / 9 },
    { p: 0.05, a: 0.4286 },
    { p: 0.4, a: 0.4286 },
    { p: 0.02, a: 0.8 },
  ])('passes as often as stated, after as many draws, 16 at most: p = $p, a = $a', ({ p, a }) => {
    const coin = shortCoin(a);
    const trials = 20_000;
    const results = Array.from({ length: trials }, () => toss(coin, p));
    const share = results.filter(({ success }) => success).length / trials;
    const wanted = shortCoinPasses(a, p);
    // Four standard errors: a right coin fails one of these two with probability 6e-5 each.
    expect(Math.abs(share - wanted)).toBeLessThan(4 * Math.sqrt((wanted * (1 - wanted)) / trials));
    const mean = results.reduce((sum, { draws }) => sum + draws, 0) / trials;
    const variance = results.reduce((sum, { draws }) => sum + (draws - mean) ** 2, 0) / trials;
    expect(Math.abs(mean - shortCoinDraws(a, p))).toBeLessThan(4 * Math.sqrt(variance / trials));
    expect(Math.max(...results.map(({ draws }) => draws))).toBeLessThanOrEqual(16);
  });

  test('stays near p^a wherever a probability can be told from 0, and is never colder than P^2', () => {
    const grid = Array.from({ length: 61 }, (_, i) => 10 ** (-i / 20));
    for (let temperature = 0.6; temperature < 0.99; temperature += 0.02) {
      const a = 1 / temperature - 1;
      const ratios = grid.map(p => shortCoinPasses(a, p) / p ** a);
      expect(Math.min(...ratios)).toBeGreaterThan(0.62);
      expect(Math.max(...ratios)).toBeLessThan(1.31);
    }
    for (const p of grid) {
      expect(shortCoinPasses(0.9999, p) / p).toBeCloseTo(1, 1);
      expect(shortCoinPasses(0.0001, p)).toBeCloseTo(1, 2);
      expect(shortCoinPasses(0.4, p)).toBeGreaterThanOrEqual(p);
    }
    expect(shortCoinPasses(0.4, 1)).toBeCloseTo(1, 12);
  });

  test('costs at most 1.3 times the draws of T = 1/2 on laws of some likely outcomes among rare ones', () => {
    const grid = Array.from({ length: 51 }, (_, i) => 10 ** (-i / 10));
    let dearest = 0;
    for (let temperature = 0.51; temperature < 0.995; temperature += 0.01) {
      const a = 1 / temperature - 1;
      const levels = grid.map(p => ({ p, draws: 1 + shortCoinDraws(a, p), passes: shortCoinPasses(a, p) }));
      for (const likely of levels) {
        for (let count = 1; count <= Math.min(20, 1 / likely.p); count += 1) {
          const mass = count * likely.p;
          for (const rare of levels.filter(({ p }) => p <= Math.min(likely.p, 1 - mass))) {
            const mean = (of: 'p' | 'draws' | 'passes') => mass * likely[of] + (1 - mass) * rare[of];
            dearest = Math.max(dearest, mean('draws') / mean('passes') / (2 / mean('p')));
          }
        }
      }
    }
    expect(dearest).toBeGreaterThan(1.2);
    expect(dearest).toBeLessThan(1.305);
  });
});
