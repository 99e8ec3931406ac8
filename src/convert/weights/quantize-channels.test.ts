import { describe, expect, test } from 'vitest';
import { LARGEST_PAIR, quantizeChannels } from './quantize-channels.js';
import { fitsChannels } from './quantize-choice.js';

const rows = 40;
const columns = 96;
/** Normal-like values, each row at its own size. */
const values = Float32Array.from({ length: rows * columns }, (_, i) => {
  const sum = Math.sin(i * i) + Math.sin(i * 1.7) + Math.cos(i * i * 0.3);
  return sum * 2 ** (Math.floor(i / columns) % 7);
});

function stored({ data, scales }: ReturnType<typeof quantizeChannels>): number[] {
  return Array.from(data, (level, i) => level * scales[Math.floor(i / columns)]!);
}

function squares(errors: readonly number[]): number {
  return errors.reduce((sum, error) => sum + error ** 2, 0);
}

describe('levels', () => {
  const quantized = quantizeChannels(values, columns);

  test('are near the values, and the error that is told is theirs', () => {
    const errors = stored(quantized).map((value, i) => value - values[i]!);
    const norm = squares([...values]);
    expect(quantized.squaredError / squares(errors)).toBeCloseTo(1, 6);
    expect(quantized.squaredNorm / norm).toBeCloseTo(1, 6);
    expect(Math.sqrt(squares(errors) / norm)).toBeLessThan(0.012);
  });

  test('of two neighbours of one sign never add up to more than a 16-bit sum of products holds', () => {
    // All values of one sign and size: each pair alone would take 127 + 127.
    const worst = [values, new Float32Array(values.length).fill(1), new Float32Array(values.length).fill(-3)];
    for (const matrix of worst) {
      const { data } = quantizeChannels(matrix, columns);
      for (let i = 0; i < data.length; i += 2) {
        const [first, second] = [data[i]!, data[i + 1]!];
        if (first * second > 0) expect(Math.abs(first + second)).toBeLessThanOrEqual(LARGEST_PAIR);
      }
    }
  });

  test('use the whole range where no pair forbids it', () => {
    const alternating = Float32Array.from({ length: 2 * columns }, (_, i) => (i % 2 === 0 ? 0.5 : -0.5));
    const { data, scales } = quantizeChannels(alternating, columns);
    expect(new Set(data)).toEqual(new Set([127, -127]));
    expect(scales[0]).toBeCloseTo(0.5 / 127, 9);
  });

  test('of a large pair among small values lose less than all others would', () => {
    const row = Float32Array.from({ length: columns }, (_, i) => (i < 2 ? 1 : Math.sin(i * i) * 0.3));
    const { squaredError } = quantizeChannels(row, columns);
    const coarse = squares([...row].map(value => value - Math.round(value * 64) / 64));
    expect(squaredError).toBeLessThanOrEqual(coarse);
  });

  test('of zeros are zeros', () => {
    const { data, scales, squaredError } = quantizeChannels(new Float32Array(2 * columns), columns);
    expect([...data, ...scales, squaredError].every(value => value === 0)).toBe(true);
  });
});

test('a matrix whose rows have values of very different sizes, or an odd width, does not fit', () => {
  const matrix = (data: Float32Array, width: number) => ({
    rows: data.length / width,
    columns: width,
    read: (from: number, to: number) => data.subarray(from * width, to * width),
  });
  expect(fitsChannels(matrix(values, columns))).toBe(true);
  expect(fitsChannels(matrix(values, columns / 32))).toBe(false);
  const spread = values.map((value, i) =>
    i % columns === 0 ? 40 * 2 ** (Math.floor(i / columns) % 7) : value,
  );
  expect(fitsChannels(matrix(spread, columns))).toBe(false);
});
