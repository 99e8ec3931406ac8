import { describe, expect, test } from 'vitest';
import {
  CASES,
  JOINT,
  positionByPosition,
  sample,
  TRIALS,
} from '../../../tests/reference/controlled-sampling.js';
import type { JointLaw } from '../../../tests/reference/power-laws.js';
import type { SamplingSettings } from '../settings.js';

/** The error that ends a decision. */
function failureOf(settings: Partial<SamplingSettings>, joint = JOINT): unknown {
  try {
    sample(settings, {}, 1, joint);
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('a pool under controls', () => {
  test('auto stays within its share of fallbacks, and its pool keeps the bias', () => {
    const { controls, factor } = CASES[0]!;
    const law = positionByPosition(JOINT, (p, ...rest) => factor(p, ...rest) ** 2);
    const { counts, fallbacks } = sample({ controls, sampler: 'auto', numCandidates: 8 });
    expect(fallbacks / TRIALS).toBeGreaterThan(0.05);
    let distance = 0;
    for (const [key, p] of law) distance += Math.abs((counts.get(key) ?? 0) / TRIALS - p) / 2;
    expect(distance).toBeLessThan(fallbacks / TRIALS + 0.03);
  });

  test.each([0, 0.5, 1, 1.5])('never takes a banned token, at T = %d', temperature => {
    const controls = { logitBias: new Map([[1, -100]]) };
    for (const temperatureLaw of ['token', 'chunk'] as const) {
      const { counts } = sample({ controls, temperature, temperatureLaw, sampler: 'pool', numCandidates: 3 });
      expect([...counts.keys()].filter(key => key.includes('1'))).toEqual([]);
    }
  });

  test('draws beyond its candidates where none of them is allowed', () => {
    const allButRare = [1, 2, 9].map(token => [token, -100] as const);
    const controls = { logitBias: new Map(allButRare) };
    const { counts, draws } = sample({ controls, sampler: 'auto', numCandidates: 1 }, {}, 500);
    expect([...counts.keys()].every(key => key.startsWith('3'))).toBe(true);
    expect(draws / 500).toBeGreaterThan(2);
  });

  test.each(['auto', 'exact', 'pool'] as const)('where all is banned, %s says so', sampler => {
    const controls = { logitBias: new Map([1, 2, 3, 9].map(token => [token, -100])) };
    for (const temperatureLaw of ['token', 'chunk'] as const) {
      expect(failureOf({ controls, sampler, temperatureLaw })).toMatchObject({
        code: 'sampler_limit',
        message: expect.stringMatching(/^None of 100000 candidates .* is allowed: `logit_bias`/),
        param: 'logit_bias',
      });
    }
  });

  test('where the second token is banned, exact says so as well', () => {
    const controls = { logitBias: new Map([1, 2, 3, 4, 9].map(token => [token, -100])) };
    const joint: JointLaw = new Map([
      ['5,1', 0.5],
      ['5,2', 0.5],
    ]);
    expect(failureOf({ controls, sampler: 'exact' }, joint)).toMatchObject({ param: 'logit_bias' });
  });

  test.each(['token', 'chunk'] as const)(
    'where what is allowed never agrees, exact names the sampler, %s law',
    temperatureLaw => {
      // A hundredth is not banned, and of its thousand outcomes no three agree in turn within the limit.
      const rare = Array.from({ length: 1000 }, (_, i) => [`${i + 10},5`, 1e-5] as const);
      const joint: JointLaw = new Map([['1,1', 0.99], ...rare]);
      const controls = { logitBias: new Map([[1, -100]]) };
      const settings = { controls, sampler: 'exact', temperature: 1 / 3, temperatureLaw } as const;
      expect(failureOf(settings, joint)).toMatchObject({
        code: 'sampler_limit',
        message: expect.stringMatching(
          /^`sampler` "exact" drew 100000 .* Use "auto" or a temperature of 1\/2/,
        ),
        param: 'sampler',
      });
    },
  );

  test('T = 0 takes the likeliest after the bias', () => {
    const biased = (bias: number) =>
      sample({ temperature: 0, numCandidates: 1000, controls: { logitBias: new Map([[1, bias]]) } }, {}, 20);
    expect([...biased(-5).counts.keys()]).toEqual(['2,2']);
    expect([...biased(1).counts.keys()]).toEqual(['1,1']);
  });

  test.each([
    { controls: { topK: 1 }, kept: ['1,1'] },
    { controls: { topP: 0.3 }, kept: ['1,1'] },
    // First tokens at T = 1: 0.4, 0.3, 0.2, 0.1.
    { controls: { topP: 0.6, logitBias: new Map([[9, 0.01]]) }, kept: ['1,1', '1,2', '2,2', '2,9'] },
    { controls: { minP: 0.65 }, kept: ['1,1', '1,2', '2,2', '2,9'] },
    { controls: { topK: 2 }, kept: ['1,1', '1,2', '2,2', '2,9'] },
  ])('cuts the tail of each position: $controls leaves $kept', ({ controls, kept }) => {
    const { counts } = sample({ controls, temperature: 1, numCandidates: 4000, sampler: 'auto' }, {}, 150);
    expect([...counts.keys()].sort()).toEqual(kept);
  });
});
