/** A small joint law, token controls, what they make of it by their description, and decisions that sample from it. */
import type { DecisionContext } from '../../src/sampler/decision.js';
import type { SamplingSettings, TokenControls, TokenHistory } from '../../src/sampler/settings.js';
import { startDecision } from '../../src/sampler/start-decision.js';
import { tally } from './chi-square.js';
import { driveDecision } from './drive-decision.js';
import { chunksOf, type JointLaw } from './power-laws.js';

/** Chance that a right sampler fails one of these tests; seeds are fixed, so it fails always or never. */
export const FALSE_ALARM = 1e-4;
export const TRIALS = 2500;
const STOP = 9;

/** Two tokens a chunk; what follows depends on what came first. Token 9 ends a text. */
export const JOINT: JointLaw = new Map([
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

export const HISTORY: TokenHistory = {
  promptTokens: [3, 3],
  generatedTokens: [1, 2, 1],
  stopTokenIds: [STOP],
};

/** What the controls make of a token's conditional probability, written from their description. */
export type Reweight = (p: number, token: number, before: readonly number[]) => number;

/** The law of chunks whose positions have the weights of `reweight`, each normalized after the tokens before it. */
export function positionByPosition(joint: JointLaw, reweight: Reweight): Map<string, number> {
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
export function asWholes(joint: JointLaw, temperature: number, factor: Reweight): Map<string, number> {
  const weights = [...joint].map(([key, p]) => {
    const [a, b] = key.split(',').map(Number) as [number, number];
    return [key, (p * factor(1, a, []) * factor(1, b, [a])) ** (1 / temperature)] as const;
  });
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0);
  return new Map(weights.map(([key, weight]) => [key, weight / total]));
}

const countOf = (token: number, before: readonly number[]) =>
  [...HISTORY.generatedTokens, ...before].filter(other => other === token).length;

/** Whether the text has ended within the chunk: nothing is reweighted from there on. */
export const isOver = (before: readonly number[]) => before.includes(STOP);

/** The controls of each case, and the factor on p before the power 1/T. */
export const CASES: { name: string; controls: TokenControls; factor: Reweight }[] = [
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

/** Counts of chunks that decisions choose, one for each seed, and what they cost together. */
export function sample(
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
