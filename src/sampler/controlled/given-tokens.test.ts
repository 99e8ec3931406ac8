import { describe, expect, test } from 'vitest';
import { chiSquareProbability } from '../../../tests/reference/chi-square.js';
import { FALSE_ALARM, JOINT, sample, TRIALS } from '../../../tests/reference/controlled-sampling.js';
import { chunkLaw, type JointLaw, tokenLaw, totalVariation } from '../../../tests/reference/power-laws.js';

describe('given tokens', () => {
  test.each([
    { temperature: 1, temperatureLaw: 'chunk' },
    { temperature: 0.5, temperatureLaw: 'chunk' },
    { temperature: 0.5, temperatureLaw: 'token' },
  ] as const)('leave the conditional law of the rest: %o', settings => {
    const below = [...JOINT].filter(([key]) => key.startsWith('2'));
    const total = below.reduce((sum, [, p]) => sum + p ** (1 / settings.temperature), 0);
    const law = new Map(below.map(([key, p]) => [key, p ** (1 / settings.temperature) / total]));
    const { counts } = sample(settings, { given: [2] });
    expect(chiSquareProbability(counts, law)).toBeGreaterThan(FALSE_ALARM);
  });

  test('are prompt: no penalty counts them as said by the answer', () => {
    const below = [...JOINT].filter(([key]) => key.startsWith('1'));
    const weights = below.map(([key, p]) => [key, p * (key === '1,2' ? Math.exp(-2) : 1)] as const);
    const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
    const { counts } = sample(
      { temperature: 1, controls: { presencePenalty: 2 } },
      { given: [1], history: { promptTokens: [1], generatedTokens: [2], stopTokenIds: [] } },
    );
    const law = new Map(weights.map(([key, weight]) => [key, weight / total]));
    expect(chiSquareProbability(counts, law)).toBeGreaterThan(FALSE_ALARM);
  });

  /** Three tokens; behind the rare token 2 one continuation is likely, and the other token scatters. */
  const THREE: JointLaw = new Map([
    ['1,5,5', 0.6],
    ['1,6,6', 0.3],
    ['2,5,5', 0.03],
    ['2,6,1', 0.02],
    ['2,6,2', 0.02],
    ['2,6,3', 0.015],
    ['2,6,4', 0.015],
  ]);
  const BELOW: JointLaw = new Map(
    [...THREE].filter(([key]) => key.startsWith('2')).map(([key, p]) => [key, p / 0.1]),
  );

  test.each([
    { temperatureLaw: 'chunk', law: chunkLaw, other: tokenLaw },
    { temperatureLaw: 'token', law: tokenLaw, other: chunkLaw },
  ] as const)(
    'are chosen before the temperature acts, under the $temperatureLaw law',
    ({ temperatureLaw, law, other }) => {
      const { counts } = sample({ temperature: 0.5, temperatureLaw }, { given: [2] }, TRIALS, THREE);
      expect(chiSquareProbability(counts, law(BELOW, 0.5))).toBeGreaterThan(FALSE_ALARM);
      expect(chiSquareProbability(counts, other(BELOW, 0.5))).toBeLessThan(FALSE_ALARM);
      // The first candidate that begins as given, whatever the temperature.
      expect(chiSquareProbability(counts, BELOW)).toBeLessThan(FALSE_ALARM);
    },
  );

  test.each(['chunk', 'token'] as const)(
    'leave auto as many candidates that begin so as a free chunk has, %s law',
    temperatureLaw => {
      const settings = { sampler: 'auto', numCandidates: 6, temperatureLaw } as const;
      const { counts, draws, fallbacks } = sample(settings, { given: [2] }, TRIALS, THREE);
      const share = fallbacks / TRIALS;
      expect(share).toBeGreaterThan(0.05);
      const exact = (temperatureLaw === 'chunk' ? chunkLaw : tokenLaw)(BELOW, 0.5);
      const empirical = new Map([...counts].map(([key, count]) => [key, count / TRIALS] as const));
      // Five outcomes: the noise of the distance is above 0.05 with probability below 1e-5.
      expect(totalVariation(empirical, exact)).toBeLessThan(share + 0.05);
      // A tenth of the candidates begin so, and a round goes beyond what it needs.
      expect(draws / TRIALS).toBeGreaterThan(20);
      expect(draws / TRIALS).toBeLessThan(90);
    },
  );

  test('leave T = 0 the likeliest of the rest', () => {
    const settings = { temperature: 0, numCandidates: 400 } as const;
    const { counts, draws } = sample({ ...settings, temperatureLaw: 'token' }, { given: [2] }, 20, THREE);
    expect([...counts.keys()].every(key => key.startsWith('2,6'))).toBe(true);
    expect(draws / 20).toBeLessThan(4096);
    const chunks = sample({ ...settings, temperatureLaw: 'chunk' }, { given: [2] }, 20, THREE);
    // 0.3 against 0.2 and 0.2 of 400: one of twenty is wrong with probability 0.004.
    expect(chunks.counts.get('2,5,5')).toBeGreaterThan(15);
  });

  test('that never come end the decision with a sentence', () => {
    expect(() => sample({}, { given: [7] }, 1)).toThrow(/^None of 4096 candidates .* begins with the prompt/);
  });
});
