import { describe, expect, test } from 'vitest';
import { chiSquareProbability, tally } from '../../../tests/reference/chi-square.js';
import { driveDecision } from '../../../tests/reference/drive-decision.js';
import {
  chunkLaw,
  chunksOf,
  type JointLaw,
  tokenLaw,
  totalVariation,
} from '../../../tests/reference/power-laws.js';
import type { DecisionContext } from '../decision.js';
import type { SamplingSettings, TokenControls, TokenHistory } from '../settings.js';
import { startDecision } from '../start-decision.js';

/** Chance that a right sampler fails one of these tests; seeds are fixed, so it fails always or never. */
const FALSE_ALARM = 1e-4;
const TRIALS = 2500;
const STOP = 9;

/** Two tokens a chunk; what follows depends on what came first. Token 9 ends a text. */
const JOINT: JointLaw = new Map([
  ['1,1', 0.18],
  ['1,2', 0.12],
  ['1,3', 0.1],
  ['2,1', 0.05],
  ['2,2', 0.15],
  ['2,9', 0.1],
  ['3,3', 0.06],
  ['3,4', 0.14],
  ['9,9', 0.1],
]);

const HISTORY: TokenHistory = {
  promptTokens: [3, 3],
  generatedTokens: [1, 2, 1],
  stopTokenIds: [STOP],
};

/** What the controls make of a token's conditional probability, written from their description. */
type Reweight = (p: number, token: number, before: readonly number[]) => number;

/** The law of chunks whose positions have the weights of `reweight`, each normalized after the tokens before it. */
function positionByPosition(joint: JointLaw, reweight: Reweight): Map<string, number> {
  const first = new Map<number, number>();
  for (const [key, p] of joint) {
    const token = Number(key[0]);
    first.set(token, (first.get(token) ?? 0) + p);
  }
  const firstTotal = [...first].reduce((sum, [token, p]) => sum + reweight(p, token, []), 0);
  const law = new Map<string, number>();
  for (const [a, p] of first) {
    const below = [...joint].filter(([key]) => Number(key[0]) === a);
    const weights = below.map(([key, joined]) => [key, reweight(joined / p, Number(key[2]), [a])] as const);
    const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of weights) {
      law.set(key, (reweight(p, a, []) / firstTotal) * (weight / total || 0));
    }
  }
  return law;
}

/** The law of whole chunks with the product of their tokens' factors. */
function asWholes(joint: JointLaw, temperature: number, factor: Reweight): Map<string, number> {
  const weights = [...joint].map(([key, p]) => {
    const [a, b] = key.split(',').map(Number) as [number, number];
    return [key, (p * factor(1, a, []) * factor(1, b, [a])) ** (1 / temperature)] as const;
  });
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return new Map(weights.map(([key, weight]) => [key, weight / total]));
}

const countOf = (token: number, before: readonly number[]) =>
  [...HISTORY.generatedTokens, ...before].filter(other => other === token).length;
const isOver = (before: readonly number[]) => before.includes(STOP);

/** The controls of each case, and the factor on p before the power 1/T. */
const CASES: { name: string; controls: TokenControls; factor: Reweight }[] = [
  {
    name: 'a bias up and one down',
    controls: {
      logitBias: new Map([
        [3, 0.8],
        [1, -0.7],
      ]),
    },
    factor: (p, token, before) =>
      isOver(before) ? p : p * Math.exp(token === 3 ? 0.8 : token === 1 ? -0.7 : 0),
  },
  {
    name: 'a ban',
    controls: { logitBias: new Map([[1, -100]]) },
    factor: (p, token) => (token === 1 ? 0 : p),
  },
  {
    name: 'presence and frequency penalties, which the chunk itself adds to',
    controls: { presencePenalty: 0.4, frequencyPenalty: 0.3 },
    factor: (p, token, before) => {
      const count = isOver(before) ? 0 : countOf(token, before);
      return p * Math.exp(-0.3 * count - (count > 0 ? 0.4 : 0));
    },
  },
  {
    name: 'negative penalties',
    controls: { presencePenalty: -0.5, frequencyPenalty: -0.2 },
    factor: (p, token, before) => {
      const count = isOver(before) ? 0 : countOf(token, before);
      return p * Math.exp(0.2 * count + (count > 0 ? 0.5 : 0));
    },
  },
  {
    name: 'no end before the fifth token: the first of this chunk is the fourth',
    controls: { minTokens: 4 },
    factor: (p, token, before) => (token === STOP && before.length === 0 ? 0 : p),
  },
  {
    name: 'no end before the sixth',
    controls: { minTokens: 5 },
    factor: (p, token, before) => (token === STOP && !isOver(before) ? 0 : p),
  },
];

function sample(
  settings: Partial<SamplingSettings>,
  context: DecisionContext = { history: HISTORY },
  trials = TRIALS,
  joint = JOINT,
) {
  const draw = chunksOf(joint, 5);
  const choices = { draws: 0, fallbacks: 0 };
  const counts = tally(trials, seed => {
    const decision = startDecision(
      {
        temperature: 0.5,
        numCandidates: 200,
        seed,
        choice: 0,
        sampler: 'exact',
        temperatureLaw: 'token',
        ...settings,
      },
      0,
      100_000,
      context,
    );
    const { chunk, draws, fallback } = driveDecision(decision, draw);
    choices.draws += draws;
    choices.fallbacks += Number(fallback);
    return chunk.join();
  });
  return { counts, ...choices };
}

const TEMPERATURES = [1, 0.7, 0.5];

describe('the exact law, token by token', () => {
  test.each(CASES.flatMap(one => TEMPERATURES.map(temperature => ({ ...one, temperature }))))(
    '$name, T = $temperature',
    ({ controls, factor, temperature }) => {
      const law = positionByPosition(JOINT, (p, ...rest) => factor(p, ...rest) ** (1 / temperature));
      const { counts } = sample({ controls, temperature });
      expect(chiSquareProbability(counts, law)).toBeGreaterThan(FALSE_ALARM);
      const untouched = positionByPosition(JOINT, p => p ** (1 / temperature));
      expect(chiSquareProbability(counts, untouched)).toBeLessThan(FALSE_ALARM);
    },
  );

  test.each([1, 0.5])(
    'a repetition penalty is a power of the conditional probability, T = %d',
    temperature => {
      const said = (token: number, before: readonly number[]) =>
        !isOver(before) && [1, 2, 3, ...before].includes(token);
      const law = positionByPosition(
        JOINT,
        (p, token, before) => p ** ((said(token, before) ? 1.5 : 1) / temperature),
      );
      const { counts } = sample({
        controls: { repetitionPenalty: 1.5 },
        temperature,
        temperatureLaw: 'chunk',
      });
      expect(chiSquareProbability(counts, law)).toBeGreaterThan(FALSE_ALARM);
    },
  );

  test('a bias that were not raised to 1/T would fail', () => {
    const { controls, factor } = CASES[0]!;
    const wrong = positionByPosition(JOINT, (p, ...rest) => p ** 2 * factor(1, ...rest));
    expect(chiSquareProbability(sample({ controls }).counts, wrong)).toBeLessThan(FALSE_ALARM);
  });
});

describe('the exact law of whole chunks', () => {
  test.each(CASES.flatMap(one => TEMPERATURES.map(temperature => ({ ...one, temperature }))))(
    '$name, T = $temperature',
    ({ controls, factor, temperature }) => {
      const { counts } = sample({ controls, temperature, temperatureLaw: 'chunk' });
      expect(chiSquareProbability(counts, asWholes(JOINT, temperature, factor))).toBeGreaterThan(FALSE_ALARM);
    },
  );
});

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

  test.each(['auto', 'exact', 'pool'] as const)('where all is banned, %s ends with a sentence', sampler => {
    const controls = { logitBias: new Map([1, 2, 3, 9].map(token => [token, -100])) };
    expect(() => sample({ controls, sampler }, {}, 1)).toThrow(
      sampler === 'exact' ? /"exact" drew 100000/ : /^None of 100000 candidates .* is allowed: `logit_bias`/,
    );
  });

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

test('controls that change nothing leave the decision as it is', () => {
  const nothing = { logitBias: new Map([[1, 0]]), presencePenalty: 0, minTokens: 3, topP: 1 };
  expect(sample({ controls: nothing }, { history: HISTORY }, 300)).toEqual(
    sample({}, { history: HISTORY }, 300),
  );
});
