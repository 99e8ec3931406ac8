import { describe, expect, test } from 'vitest';
import { poolLaw } from '../../tests/reference/algorithm-2.js';
import { chiSquareProbability, tally } from '../../tests/reference/chi-square.js';
import { driveDecision } from '../../tests/reference/drive-decision.js';
import type { Chunk } from './decision.js';
import { poolWeights } from './pool-weights.js';
import type { SamplingSettings, TemperatureLaw } from './settings.js';
import { startDecision } from './start-decision.js';

/** Chance that a right sampler fails one of these tests; seeds are fixed, so it fails always or never. */
const FALSE_ALARM = 1e-4;

/** A appears 4 times of 10, B 3 times, C twice, D once. */
const POOL: Chunk[] = [...'ABACDBABCA'].map(letter => [letter.charCodeAt(0) - 64]);

const settingsOf = (
  temperature: number,
  seed = 0,
  more: Partial<SamplingSettings> = {},
): SamplingSettings => ({
  temperature,
  numCandidates: POOL.length,
  seed,
  choice: 0,
  ...more,
});

/** The winners of 10,000 seeds on one pool, whose order is turned so that a lazy sampler sees it from everywhere. */
function winners(temperature: number, law: TemperatureLaw = 'chunk'): Map<string, number> {
  return tally(10_000, seed => {
    const settings = settingsOf(temperature, seed, { sampler: 'pool', temperatureLaw: law });
    return driveDecision(startDecision(settings, 0), i => POOL[(i * 3 + seed) % POOL.length]!).chunk.join();
  });
}

const lawOf = (weights: readonly number[]) => {
  const total = weights.reduce((a, b) => a + b);
  return new Map(weights.map((weight, i) => [String(i + 1), weight / total] as const));
};

describe('the law of the pool sampler on a full pool', () => {
  test.each([0.7, 0.4, 0.85, 1.3, 2])('is that of its weights: T = %d', temperature => {
    const counts = winners(temperature);
    const law = lawOf(poolWeights([4, 3, 2, 1], temperature));
    expect(chiSquareProbability(counts, law)).toBeGreaterThan(FALSE_ALARM);
    // Seen to fail: the next smaller integer power, which forgets the fraction.
    const rounded = Math.max(1, Math.floor(1 / temperature)) + (temperature > 1 ? 1 : 0);
    const integer = lawOf(poolWeights([4, 3, 2, 1], 1 / rounded));
    expect(chiSquareProbability(counts, integer)).toBeLessThan(FALSE_ALARM);
  });

  test('T = 0: always the most frequent', () => {
    expect(winners(0)).toEqual(new Map([['1', 10_000]]));
  });

  test('T = 1: the first candidate, and no more', () => {
    const choice = driveDecision(startDecision(settingsOf(1), 0), i => [100 + i]);
    expect(choice).toEqual({ chunk: [100], draws: 1, decodedPositions: 1, fallback: false });
  });
});

test('a pool decides token by token under the token law', () => {
  // First tokens 6 to 4; behind the first 5 to 1, behind the second 2 to 2.
  const pool = ['00', '00', '01', '00', '00', '00', '10', '10', '11', '11'].map(text =>
    [...text].map(Number),
  );
  const counts = tally(10_000, seed => {
    const settings = settingsOf(1.5, seed, { sampler: 'pool', temperatureLaw: 'token' });
    return driveDecision(startDecision(settings, 0), i => pool[i]!).chunk.join('');
  });
  const share = (count: number, other: number) => count ** (2 / 3) / (count ** (2 / 3) + other ** (2 / 3));
  const law = new Map([
    ['00', share(6, 4) * share(5, 1)],
    ['01', share(6, 4) * share(1, 5)],
    ['10', share(4, 6) / 2],
    ['11', share(4, 6) / 2],
  ]);
  expect(chiSquareProbability(counts, law)).toBeGreaterThan(FALSE_ALARM);
});

describe('which sampler decides', () => {
  const drawsOf = (temperature: number, more: Partial<SamplingSettings>, draw: (i: number) => Chunk) =>
    driveDecision(startDecision(settingsOf(temperature, 3, { numCandidates: 200, ...more }), 0), draw);

  test.each(['auto', 'exact', 'pool'] as const)('%s: a certain chunk at 0.333 takes a few draws', sampler => {
    expect(drawsOf(0.333, { sampler }, () => [5]).draws).toBeLessThan(10);
  });

  test('a pool costs all of its candidates where Algorithm 2 knows no law', () => {
    expect(drawsOf(0.7, { sampler: 'pool' }, () => [5]).draws).toBe(200);
    expect(drawsOf(0.5, { sampler: 'pool', temperatureLaw: 'token' }, () => [5]).draws).toBe(200);
    expect(drawsOf(1.5, {}, () => [5]).draws).toBe(200);
  });

  test('auto ends with the pool, exact with an error', () => {
    expect(drawsOf(0.5, {}, i => [i])).toMatchObject({ draws: 200, fallback: true });
    expect(() => drawsOf(0.5, { sampler: 'exact' }, i => [i])).toThrow('drew 65536 candidates');
  });

  test('the law is that of the settings', () => {
    // The first five of eight agree in the first token; among whole chunks the last three do.
    const pool: Chunk[] = [
      [1, 1],
      [1, 2],
      [1, 3],
      [1, 4],
      [1, 5],
      [2, 1],
      [2, 1],
      [2, 1],
    ];
    const chosen = (temperatureLaw: TemperatureLaw) =>
      drawsOf(0, { numCandidates: 8, temperatureLaw }, i => pool[i]!).chunk;
    expect([chosen('chunk'), chosen('token')]).toEqual([
      [2, 1],
      [1, 1],
    ]);
  });

  test('a plain draw takes one candidate whatever else is set', () => {
    for (const sampler of ['auto', 'exact', 'pool'] as const) {
      expect(drawsOf(1, { sampler, temperatureLaw: 'token' }, i => [i])).toEqual({
        chunk: [0],
        draws: 1,
        decodedPositions: 1,
        fallback: false,
      });
    }
  });
});

test('a pool says where no chunk appeared as often as the power asks for', () => {
  const fallback = (temperature: number, draw: (i: number) => Chunk) =>
    driveDecision(startDecision(settingsOf(temperature, 0, { sampler: 'pool' }), 0), draw).fallback;
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
  const choice = driveDecision(
    startDecision(settingsOf(0.0011, 0, { numCandidates: 4096, sampler: 'pool' }), 0),
    i => pool[i]!,
  );
  expect(choice.chunk).toEqual([1]);
  expect(poolLaw(pool.slice(0, 9), 2)).toEqual(new Map([['1', 1]]));
});
