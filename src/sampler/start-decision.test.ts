import { describe, expect, test } from 'vitest';
import { poolLaw } from '../../tests/reference/algorithm-2.js';
import { chiSquareProbability, tally } from '../../tests/reference/chi-square.js';
import { driveDecision } from '../../tests/reference/drive-decision.js';
import type { Chunk } from './decision.js';
import { reciprocal, startDecision } from './start-decision.js';

/** Chance that a right sampler fails one of these tests; seeds are fixed, so it fails always or never. */
const FALSE_ALARM = 1e-4;

/** A appears 4 times of 10, B 3 times, C twice, D once. */
const POOL: Chunk[] = [...'ABACDBABCA'].map(letter => [letter.charCodeAt(0) - 64]);

const settingsOf = (temperature: number, seed = 0, numCandidates = POOL.length) => ({
  temperature,
  numCandidates,
  seed,
  choice: 0,
});

/** The winners of 20,000 seeds on one pool, whose order is turned so that a lazy sampler sees it from everywhere. */
function winners(temperature: number): Map<string, number> {
  return tally(20_000, seed => {
    const decision = startDecision(settingsOf(temperature, seed), 0);
    return driveDecision(decision, i => POOL[(i * 3 + seed) % POOL.length]!).chunk.join();
  });
}

const powerLaw = (exponent: number) => {
  const weights = [4, 3, 2, 1].map(count => count ** exponent);
  const total = weights.reduce((a, b) => a + b);
  return new Map(weights.map((weight, i) => [String(i + 1), weight / total] as const));
};

describe('the law at each temperature, on a full pool', () => {
  test.each([0.7, 0.4, 0.85, 1.3, 2])('T = %d: count^(1/T)', temperature => {
    const counts = winners(temperature);
    expect(chiSquareProbability(counts, powerLaw(1 / temperature))).toBeGreaterThan(FALSE_ALARM);
    // Seen to fail: the next smaller integer power, which forgets the fraction.
    const rounded = powerLaw(Math.max(1, Math.floor(1 / temperature)) + (temperature > 1 ? 1 : 0));
    expect(chiSquareProbability(counts, rounded)).toBeLessThan(FALSE_ALARM);
  });

  test('T = 0: always the most frequent', () => {
    expect(winners(0)).toEqual(new Map([['1', 20_000]]));
  });

  test('T = 1: the first candidate, and no more', () => {
    const choice = driveDecision(startDecision(settingsOf(1), 0), i => [100 + i]);
    expect(choice).toEqual({ chunk: [100], draws: 1, fallback: false });
  });
});

test.each([
  [0.5, 2],
  [0.333, 3],
  [0.34, undefined],
  [0.2, 5],
  [0.996, 1],
  [1.004, 1],
  [0.99, undefined],
  [0.7, undefined],
  [1.5, undefined],
  [2, undefined],
  [0.501, 2],
  [0.01, 100],
])('T = %d is 1/%s', (temperature, n) => {
  expect(reciprocal(temperature)).toBe(n);
});

test('a temperature a hair away from 1/3 is drawn lazily: a certain chunk does not cost the whole pool', () => {
  expect(driveDecision(startDecision(settingsOf(0.333, 0, 200), 0), () => [5]).draws).toBeLessThan(10);
  expect(driveDecision(startDecision(settingsOf(0.7, 0, 200), 0), () => [5]).draws).toBe(200);
});

test('says where no chunk appeared as often as the power asks for', () => {
  const fallback = (temperature: number, draw: (i: number) => Chunk) =>
    driveDecision(startDecision(settingsOf(temperature), 0), draw).fallback;
  expect(fallback(0.5, i => [i])).toBe(true);
  expect(fallback(0.5, i => [i % 5])).toBe(false);
  expect(fallback(0.7, i => [i])).toBe(true);
  expect(fallback(0.7, i => [i % 5])).toBe(false);
  expect(fallback(0.4, i => [i % 5])).toBe(true);
  expect(fallback(1.5, i => [i])).toBe(false);
});

test('the same key decides alike; another seed, choice or step does not always', () => {
  const decide = (seed: number, choice: number, step: number) =>
    driveDecision(startDecision({ ...settingsOf(0.7, seed), choice }, step), i => [i]).chunk[0]!;
  expect(decide(5, 1, 2)).toBe(decide(5, 1, 2));
  const spread = (vary: (i: number) => number) => new Set(Array.from({ length: 30 }, (_, i) => vary(i))).size;
  expect(spread(i => decide(i, 0, 0))).toBeGreaterThan(5);
  expect(spread(i => decide(0, i, 0))).toBeGreaterThan(5);
  expect(spread(i => decide(0, 0, i))).toBeGreaterThan(5);
});

test('a power that overflows a count alone is still a choice', () => {
  const pool = Array.from({ length: 4096 }, (_, i): Chunk => [i % 3 === 0 ? 1 : i]);
  const choice = driveDecision(startDecision(settingsOf(0.0011, 0, 4096), 0), i => pool[i]!);
  expect(choice.chunk).toEqual([1]);
  expect(poolLaw(pool.slice(0, 9), 2)).toEqual(new Map([['1', 1]]));
});
