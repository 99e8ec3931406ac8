import { expect, test } from 'vitest';
import { chiSquareProbability, twoSampleProbability } from './chi-square.js';

const fair = (faces: number) =>
  new Map(Array.from({ length: faces }, (_, face) => [String(face), 1 / faces] as const));
const counts = (...values: number[]) => new Map(values.map((value, face) => [String(face), value] as const));

test('agrees with the tabled quantiles of the chi-square distribution', () => {
  // Statistic 3.841 at 1 degree, 11.345 at 3 degrees: 5 % and 1 %.
  const deviation = Math.sqrt(3.8415 * 250_000);
  expect(chiSquareProbability(counts(5e5 + deviation, 5e5 - deviation), fair(2))).toBeCloseTo(0.05, 4);
  const three = Math.sqrt((11.3449 * 250_000) / 2);
  expect(chiSquareProbability(counts(25e4 + three, 25e4 - three, 25e4, 25e4), fair(4))).toBeCloseTo(0.01, 4);
});

test('an outcome that the law forbids or does not know is never accepted', () => {
  expect(chiSquareProbability(counts(50, 50, 1), fair(2))).toBe(0);
  const law = new Map([...fair(2), ['2', 0]]);
  expect(chiSquareProbability(counts(50, 50, 1), law)).toBe(0);
});

test('two samples of one law agree, of two laws they do not', () => {
  expect(twoSampleProbability(counts(100, 200, 300), counts(52, 97, 151))).toBeGreaterThan(0.5);
  expect(twoSampleProbability(counts(100, 200, 300), counts(200, 97, 3))).toBeLessThan(1e-6);
});
