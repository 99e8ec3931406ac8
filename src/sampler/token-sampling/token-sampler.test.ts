import { describe, expect, it } from 'vitest';
import { chiSquareProbability, tally } from '../../../tests/reference/chi-square.js';
import type { TokenControls, TokenHistory } from '../settings.js';
import { uniformAt } from '../uniform.js';
import { TokenSampler } from './token-sampler.js';

/** Chance that a right sampler fails one of these tests; seeds are fixed, so it fails always or never. */
const FALSE_ALARM = 1e-4;
const TRIALS = 20_000;
const VOCAB = 40;

const LOGITS = Float32Array.from({ length: VOCAB }, (_, token) => 3 * Math.sin(token * 12.9898) - token / 20);
const HISTORY: TokenHistory = {
  promptTokens: [1, 2, 3, 3],
  generatedTokens: [5, 5, 5, 3, 9],
  stopTokenIds: [0, 7],
};
const NONE: TokenHistory = { promptTokens: [], generatedTokens: [], stopTokenIds: [0, 7] };

const sampler = new TokenSampler(VOCAB);

function choose(
  controls: TokenControls,
  { temperature = 1, history = NONE, uniform = 0.5, logits = LOGITS } = {},
): number {
  return sampler.choose({ logits: logits.slice(), temperature, controls, history, uniform });
}

/** The law by its definition: everything sorted, nothing shared with the code under test. */
function exactLaw(controls: TokenControls, temperature: number, history: TokenHistory): Map<string, number> {
  const logits = Array.from(LOGITS, (logit, token) => {
    const bias = controls.logitBias?.get(token) ?? 0;
    if (bias <= -100) return Number.NEGATIVE_INFINITY;
    const early = history.generatedTokens.length < (controls.minTokens ?? 0);
    if (early && history.stopTokenIds.includes(token)) return Number.NEGATIVE_INFINITY;
    const count = history.generatedTokens.filter(other => other === token).length;
    const seen = count > 0 || history.promptTokens.includes(token);
    const repetition = seen ? (controls.repetitionPenalty ?? 1) : 1;
    const biased = logit + bias;
    const repeated = biased > 0 ? biased / repetition : biased * repetition;
    const presence = count > 0 ? (controls.presencePenalty ?? 0) : 0;
    return repeated - presence - count * (controls.frequencyPenalty ?? 0);
  });
  const normalize = (weights: readonly number[]): number[] => {
    const total = weights.reduce((a, b) => a + b, 0);
    return weights.map(weight => weight / total);
  };
  let law = normalize(logits.map(logit => Math.exp(logit / temperature)));
  const highest = Math.max(...law);
  law = normalize(law.map(p => (p >= (controls.minP ?? 0) * highest ? p : 0)));
  const order = law.map((_, token) => token).sort((a, b) => law[b]! - law[a]!);
  if (controls.topK !== undefined) for (const token of order.slice(controls.topK)) law[token] = 0;
  law = normalize(law);
  let before = 0;
  for (const token of order) {
    const p = law[token]!;
    if (before >= (controls.topP ?? 1) && before > 0) law[token] = 0;
    before += p;
  }
  return new Map(normalize(law).map((p, token) => [String(token), p]));
}

const draws = (controls: TokenControls, temperature: number, history: TokenHistory) =>
  tally(TRIALS, seed =>
    String(
      choose(controls, {
        temperature,
        history,
        uniform: uniformAt({ seed, choice: 0, step: 0, stream: 0 }),
      }),
    ),
  );

const everything: TokenControls = {
  logitBias: new Map([
    [4, 2.5],
    [6, -100],
    [9, 3],
  ]),
  presencePenalty: 0.4,
  frequencyPenalty: 0.3,
  repetitionPenalty: 1.3,
  minTokens: 6,
  minP: 0.01,
  topK: 12,
  topP: 0.9,
};

describe('draws follow the law that the controls define', () => {
  it.each<[string, TokenControls, number]>([
    ['nothing but a neutral field', { topP: 1 }, 1],
    ['a temperature', { topP: 1 }, 0.6],
    ['logit_bias', { logitBias: everything.logitBias! }, 1],
    ['presence_penalty', { presencePenalty: 1.5 }, 1],
    ['a negative presence_penalty', { presencePenalty: -1.5 }, 1],
    ['frequency_penalty', { frequencyPenalty: 0.7 }, 1],
    ['repetition_penalty', { repetitionPenalty: 1.8 }, 1],
    ['a repetition_penalty below 1', { repetitionPenalty: 0.7 }, 1],
    ['min_tokens', { minTokens: 6 }, 1],
    ['min_tokens that are there', { minTokens: 5 }, 1],
    ['top_k', { topK: 5 }, 1.3],
    ['top_p', { topP: 0.7 }, 1],
    ['min_p', { minP: 0.2 }, 0.8],
    ['top_p of what top_k leaves', { topK: 6, topP: 0.8 }, 2],
    ['all of them', everything, 0.9],
  ])('%s', (_, controls, temperature) => {
    const law = exactLaw(controls, temperature, HISTORY);
    expect(chiSquareProbability(draws(controls, temperature, HISTORY), law)).toBeGreaterThan(FALSE_ALARM);
  });

  it('and the test can tell a law from its neighbour', () => {
    const law = exactLaw({ presencePenalty: 0.4 }, 1, HISTORY);
    expect(chiSquareProbability(draws({ presencePenalty: 0.8 }, 1, HISTORY), law)).toBeLessThan(FALSE_ALARM);
  });
});

it('takes the best token at temperature 0, after bans and penalties', () => {
  const ranking = Array.from(LOGITS.keys()).sort((a, b) => LOGITS[b]! - LOGITS[a]!);
  expect(choose({}, { temperature: 0 })).toBe(ranking[0]);
  expect(choose({ logitBias: new Map([[ranking[0]!, -100]]) }, { temperature: 0 })).toBe(ranking[1]);
  const history = { ...NONE, generatedTokens: [ranking[0]!, ranking[1]!] };
  expect(choose({ presencePenalty: 2, frequencyPenalty: 2 }, { temperature: 0, history })).toBe(ranking[2]);
});

it('always keeps the best token: top_p 0, top_k 1, min_p 1', () => {
  const best = choose({}, { temperature: 0 });
  for (const controls of [{ topP: 0 }, { topK: 1 }, { minP: 1 }]) {
    for (const uniform of [0, 0.3, 0.999_999])
      expect(choose(controls, { uniform, temperature: 2 })).toBe(best);
  }
});

it('keeps equal tokens together at the cut', () => {
  const logits = new Float32Array(VOCAB).fill(1);
  const chosen = new Set(
    Array.from({ length: VOCAB }, (_, i) => choose({ topK: 3 }, { logits, uniform: (i + 0.5) / VOCAB })),
  );
  expect(chosen.size).toBe(VOCAB);
});

it('never draws a banned token, whatever the number', () => {
  const logitBias = new Map(Array.from({ length: VOCAB - 1 }, (_, i) => [i + 1, -100] as const));
  for (const uniform of [0, 0.5, 1 - 2 ** -53]) expect(choose({ logitBias }, { uniform })).toBe(0);
});

it('says so where nothing is left', () => {
  const logitBias = new Map(Array.from({ length: VOCAB - 1 }, (_, i) => [i + 1, -100] as const));
  expect(() => choose({ logitBias, minTokens: 1 })).toThrow(
    expect.objectContaining({ code: 'invalid_request', param: 'logit_bias' }),
  );
});
