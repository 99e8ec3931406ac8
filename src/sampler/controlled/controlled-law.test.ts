import { describe, expect, test } from 'vitest';
import { chiSquareProbability } from '../../../tests/reference/chi-square.js';
import {
  asWholes,
  CASES,
  FALSE_ALARM,
  HISTORY,
  isOver,
  JOINT,
  positionByPosition,
  sample,
} from '../../../tests/reference/controlled-sampling.js';

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

test('controls that change nothing leave the decision as it is', () => {
  const nothing = { logitBias: new Map([[1, 0]]), presencePenalty: 0, minTokens: 3, topP: 1 };
  expect(sample({ controls: nothing }, { history: HISTORY }, 300)).toEqual(
    sample({}, { history: HISTORY }, 300),
  );
});
