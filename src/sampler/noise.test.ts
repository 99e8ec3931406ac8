import { expect, test } from 'vitest';
import { chiSquareProbability, tally } from '../../tests/reference/chi-square.js';
import { fillNoise, type NoiseKey } from './noise.js';
import { RandomStream, uniformAt } from './uniform.js';

const key: NoiseKey = { seed: 3, choice: 0, step: 0, candidate: 0 };

function noise(size: number, changes: Partial<NoiseKey> = {}): Float32Array {
  const out = new Float32Array(size);
  fillNoise(out, 0, size, { ...key, ...changes });
  return out;
}

test('writes just the wanted range, and the same numbers wherever they go', () => {
  const out = new Float32Array(20).fill(9);
  fillNoise(out, 5, 10, key);
  expect([...out.subarray(0, 5), ...out.subarray(15)]).toEqual(new Array(10).fill(9));
  expect([...out.subarray(5, 15)]).toEqual([...noise(10)]);
});

test('is uniform in [-0.5, 0.5): false alarm 1e-4', () => {
  const values = Array.from({ length: 1000 }, (_, candidate) => [...noise(64, { candidate })]).flat();
  expect(Math.min(...values)).toBeGreaterThanOrEqual(-0.5);
  expect(Math.max(...values)).toBeLessThan(0.5);
  const law = new Map(Array.from({ length: 100 }, (_, cell) => [String(cell), 0.01] as const));
  const counts = tally(values.length, i => String(Math.floor((values[i]! + 0.5) * 100)));
  expect(chiSquareProbability(counts, law)).toBeGreaterThan(1e-4);
  // Neighbours too: pairs of consecutive numbers fill the square evenly.
  const pairs = tally(values.length / 2, i =>
    String(Math.floor((values[2 * i]! + 0.5) * 10) * 10 + Math.floor((values[2 * i + 1]! + 0.5) * 10)),
  );
  expect(chiSquareProbability(pairs, law)).toBeGreaterThan(1e-4);
});

test('every part of the key gives other numbers, the seed in all of its 53 bits', () => {
  const streams = [
    noise(4),
    noise(4, { choice: 1 }),
    noise(4, { step: 1 }),
    noise(4, { candidate: 1 }),
    ...Array.from({ length: 53 }, (_, bit) =>
      noise(4, { seed: 2 ** bit + (bit === 0 || bit === 1 ? 4 : 0) }),
    ),
  ].map(values => values.join());
  expect(new Set(streams).size).toBe(streams.length);
});

test('choices, selections and noise never share numbers', () => {
  const stream = new RandomStream(key);
  const values = [
    stream.next(),
    stream.next(),
    ...[0, 1].map(number => uniformAt({ ...key, stream: number })),
    ...noise(8).map(value => value + 0.5),
  ].map(value => value.toFixed(6));
  expect(new Set(values).size).toBe(12);
});

test('uniform numbers are uniform in [0, 1) and the same for the same key', () => {
  const numbers = Array.from({ length: 50_000 }, (_, stream) =>
    uniformAt({ seed: 2 ** 53 - 1, choice: 1, step: 2, stream }),
  );
  expect(numbers.every(number => number >= 0 && number < 1)).toBe(true);
  const law = new Map(Array.from({ length: 100 }, (_, cell) => [String(cell), 0.01] as const));
  const counts = tally(numbers.length, i => String(Math.floor(numbers[i]! * 100)));
  expect(chiSquareProbability(counts, law)).toBeGreaterThan(1e-4);
  expect(uniformAt({ seed: 1, choice: 2, step: 3, stream: 4 })).toBe(
    uniformAt({ seed: 1, choice: 2, step: 3, stream: 4 }),
  );
  const [first, second] = [new RandomStream(key), new RandomStream(key)];
  expect([first.next(), first.next()]).toEqual([second.next(), second.next()]);
});
