import { expect, it } from 'vitest';
import { fillNormalNoise, fillNormals } from './normal.js';

const count = 200_000;
const numbers = new Float32Array(count);
fillNormals(numbers, 0, count, { seed: 11, step: 3 });

/** Standard errors of the moments are below 0.0023, 0.0032 and 0.022: five of them, a false alarm in 10^6. */
it('has the moments of the standard normal law', () => {
  const moment = (power: number) => numbers.reduce((sum, x) => sum + x ** power, 0) / count;
  expect(Math.abs(moment(1))).toBeLessThan(0.012);
  expect(Math.abs(moment(2) - 1)).toBeLessThan(0.016);
  expect(Math.abs(moment(4) - 3)).toBeLessThan(0.11);
});

it('has its share of tails, on both sides', () => {
  const share = (holds: (x: number) => boolean) => numbers.filter(holds).length / count;
  // P(X > 2) = 0.02275 with a standard error of 0.00033.
  expect(Math.abs(share(x => x > 2) - 0.02275)).toBeLessThan(0.0017);
  expect(Math.abs(share(x => x < -2) - 0.02275)).toBeLessThan(0.0017);
  expect(numbers.every(Number.isFinite)).toBe(true);
});

it('pairs neighbours without correlation', () => {
  let product = 0;
  for (let i = 0; i + 1 < count; i += 1) product += numbers[i]! * numbers[i + 1]!;
  expect(Math.abs(product / count)).toBeLessThan(0.012);
});

it('is a function of its key and nothing else', () => {
  const fill = (size: number, offset: number, key: { seed: number; step: number }) => {
    const out = new Float32Array(offset + size);
    fillNormals(out, offset, size, key);
    return [...out.subarray(offset)];
  };
  const whole = fill(11, 0, { seed: 2, step: 5 });
  expect(fill(7, 3, { seed: 2, step: 5 })).toEqual(whole.slice(0, 7));
  expect(fill(11, 0, { seed: 3, step: 5 })).not.toEqual(whole);
  expect(fill(11, 0, { seed: 2, step: 6 })).not.toEqual(whole);
});

it('gives each candidate noise of its own, of the same law', () => {
  const key = { seed: 2, choice: 1, step: 5, candidate: 3 };
  const noise = (changes: Partial<typeof key>, size = 12) => {
    const out = new Float32Array(size);
    fillNormalNoise(out, 0, size, { ...key, ...changes });
    return [...out];
  };
  const others = [{ seed: 3 }, { choice: 0 }, { step: 4 }, { candidate: 2 }].map(change =>
    noise(change).join(),
  );
  const shared = new Float32Array(12);
  fillNormals(shared, 0, 12, { seed: 2, step: 5 });
  expect(new Set([noise({}).join(), ...others, [...shared].join()]).size).toBe(6);
  expect(noise({}, 7)).toEqual(noise({}).slice(0, 7));
  // Of 200,000 numbers the mean's standard error is 0.0022 and the variance's 0.0032: five of them.
  const many = noise({}, 200_000);
  const variance = many.reduce((sum, x) => sum + x * x, 0) / many.length;
  expect(Math.abs(many.reduce((sum, x) => sum + x, 0) / many.length)).toBeLessThan(0.011);
  expect(Math.abs(variance - 1)).toBeLessThan(0.016);
});
