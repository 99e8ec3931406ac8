import { describe, expect, test } from 'vitest';
import { chiSquareProbability, tally } from '../../tests/reference/chi-square.js';
import { driveDecision, sourceOf } from '../../tests/reference/drive-decision.js';
import { FALSE_ALARM, powerOf, ROUND_SIZES, randomOf, sharesOf } from '../../tests/reference/law-decision.js';
import { chunkLaw, totalVariation } from '../../tests/reference/power-laws.js';
import type { Chunk, ChunkDecision } from './decision.js';
import { chunkLawDecision } from './exact-chunk-law.js';
import { lazyPoolDecision } from './lazy-pool.js';
import { chooseByCounts, failAtLimit } from './on-limit.js';
import { exponentOf, mendoCoin } from './power.js';

const LIMIT = 1_000_000;

const keyed = (law: readonly number[]) => new Map(law.map((p, i) => [String(i), p] as const));
const exactly = (temperature: number, trial: number, power = powerOf(temperature), round = 5) =>
  chunkLawDecision(LIMIT, power, failAtLimit(temperature, LIMIT, 'chunk'), randomOf(trial), () => round);

function fit(law: readonly number[], temperature: number, decide: (trial: number) => ChunkDecision): number {
  const draw = sourceOf(law, 21);
  const counts = tally(6000, trial => driveDecision(decide(trial), draw).chunk.join());
  return chiSquareProbability(counts, chunkLaw(keyed(law), temperature));
}

const FOUR = [0.5, 0.3, 0.15, 0.05];
const ZIPF = (() => {
  const weights = Array.from({ length: 50 }, (_, i) => (i + 1) ** -1.2);
  const total = weights.reduce((a, b) => a + b);
  return weights.map(weight => weight / total);
})();

describe('the law', () => {
  test.each([0.9, 0.7, 0.55, 0.5, 0.4, 1 / 3, 0.3, 0.2])('is P^(1/T) / Z at T = %d', temperature => {
    expect(fit(FOUR, temperature, trial => exactly(temperature, trial))).toBeGreaterThan(FALSE_ALARM);
  });

  test.each([0.7, 0.5])('is so on a heavy tail, T = %d', temperature => {
    expect(fit(ZIPF, temperature, trial => exactly(temperature, trial))).toBeGreaterThan(FALSE_ALARM);
  });

  test('is not that of floor(1/T) agreements: this test can fail', () => {
    expect(fit(FOUR, 0.7, trial => exactly(0.7, trial, { repeats: 1 }))).toBeLessThan(FALSE_ALARM);
    expect(fit(FOUR, 0.4, trial => exactly(0.4, trial, { repeats: 2 }))).toBeLessThan(FALSE_ALARM);
  });

  test('is not that of a biased coin', () => {
    const biased = { repeats: 1, coin: mendoCoin(0.6) };
    expect(fit(FOUR, 0.7, trial => exactly(0.7, trial, biased))).toBeLessThan(FALSE_ALARM);
  });

  test('is not that of Algorithm 2', () => {
    expect(fit(FOUR, 0.5, trial => lazyPoolDecision(10, 2, randomOf(trial)))).toBeLessThan(FALSE_ALARM);
  });
});

describe('the cost', () => {
  /** Mean draws and its standard error. */
  function meanDraws(law: readonly number[], temperature: number, trials: number) {
    const draw = sourceOf(law, 22);
    const draws = Array.from(
      { length: trials },
      (_, trial) => driveDecision(exactly(temperature, trial, powerOf(temperature), 1), draw).draws,
    );
    const mean = draws.reduce((a, b) => a + b) / trials;
    const variance = draws.reduce((sum, value) => sum + (value - mean) ** 2, 0) / trials;
    return { mean, error: Math.sqrt(variance / trials) };
  }

  test.each([
    { name: "the paper's vector", law: FOUR, temperature: 0.4, expected: 10.993 },
    { name: 'Zipf over 50, n = 3 with early abort', law: ZIPF, temperature: 1 / 3, expected: 69.1 },
    { name: 'fractional stage only', law: FOUR, temperature: 0.7, expected: expectedDraws(FOUR, 0.7) },
    { name: 'n = 4', law: FOUR, temperature: 0.25, expected: expectedDraws(FOUR, 0.25) },
  ])('$name: $expected draws', ({ law, temperature, expected }) => {
    // Four standard errors: a right sampler fails with probability 6e-5.
    const { mean, error } = meanDraws(law, temperature, 4000);
    expect(expectedDraws(law, temperature)).toBeCloseTo(expected, 1);
    expect(Math.abs(mean - expectedDraws(law, temperature))).toBeLessThan(4 * error);
  });
});

/** The expectation that exact-power.ts states. */
function expectedDraws(law: readonly number[], temperature: number): number {
  const { repeats, fraction } = exponentOf(temperature)!;
  const sumOfPowers = (exponent: number) => law.reduce((sum, p) => sum + p ** exponent, 0);
  let tries = repeats === 1 ? 1 : 2;
  for (let j = 2; j < repeats; j += 1) tries += sumOfPowers(j);
  if (fraction > 0) tries += sumOfPowers(1 / temperature - 1);
  return tries / sumOfPowers(repeats + fraction);
}

describe('at the limit', () => {
  test('ends with a sentence where only exactness was allowed', () => {
    const distinct = (i: number): Chunk => [i];
    const decision = chunkLawDecision(
      100,
      powerOf(0.5),
      failAtLimit(0.5, 100, 'chunk'),
      randomOf(1),
      () => 7,
    );
    expect(() => driveDecision(decision, distinct)).toThrow(
      /^`sampler` "exact" drew 100 candidates for one chunk at temperature 0.5 without a decision/,
    );
  });

  test('the counts of all its candidates decide otherwise, and the choice is a fallback', () => {
    const pool = [...'ABACDBABCA'].map(letter => [letter.charCodeAt(0) - 64]);
    // No ten in a row agree, so it is always the counts 4, 3, 2, 1 that decide: by their pairs.
    const counts = tally(6000, trial => {
      const power = { repeats: 10 };
      const decision = chunkLawDecision(10, power, chooseByCounts(0.5), randomOf(trial), () => 3);
      const choice = driveDecision(decision, i => pool[i]!);
      expect(choice).toMatchObject({ draws: 10, fallback: true });
      return choice.chunk.join();
    });
    const law = new Map([6, 3, 1].map((weight, i) => [String(i + 1), weight / 10] as const));
    expect(chiSquareProbability(counts, law)).toBeGreaterThan(FALSE_ALARM);
  });

  test.each([0.7, 0.5, 1 / 3])(
    'with the coin of `exact` is no further from its law than the share of its fallbacks, T = %d',
    temperature => {
      const { shares, fallbackShare } = sharesOf(6000, sourceOf(ZIPF, 23), trial =>
        chunkLawDecision(20, powerOf(temperature), chooseByCounts(temperature), randomOf(trial), () => 4),
      );
      const distance = totalVariation(shares, chunkLaw(keyed(ZIPF), temperature));
      // The noise of 50 cells: sqrt(50 / 6000) / 2 on average at most, and four of its deviations.
      expect(fallbackShare).toBeGreaterThan(0.2);
      expect(distance).toBeLessThan(fallbackShare + 0.046 + 0.026);
    },
  );
});

test('how draws are grouped into rounds does not change the choice', () => {
  for (let trial = 0; trial < 200; trial += 1) {
    const temperature = [0.9, 0.7, 0.5, 0.4, 1 / 3][trial % 5]!;
    const choices = ROUND_SIZES.map(roundSize => {
      const decision = chunkLawDecision(
        30,
        powerOf(temperature),
        chooseByCounts(temperature),
        randomOf(trial),
        roundSize,
      );
      const { chunk, fallback } = driveDecision(decision, sourceOf(ZIPF, trial));
      return `${chunk.join()} ${fallback}`;
    });
    expect(new Set(choices).size).toBe(1);
  }
});
