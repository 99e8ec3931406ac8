import { describe, expect, test } from 'vitest';
import { type BlockFormat, quantizeRows } from './quantize.js';
import { chooseFormat } from './quantize-choice.js';

const rows = 5;
const columns = 192;
const values = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * i) + 0.3);

/** The stored values, by the formula of MatMulNBits. */
function dequantize(quantized: ReturnType<typeof quantizeRows>, format: BlockFormat): number[] {
  const { bits, blockSize } = format;
  const blocks = columns / blockSize;
  const unpack = (bytes: Uint8Array, row: number, perRow: number, index: number): number =>
    bits === 8
      ? bytes[row * perRow + index]!
      : (bytes[row * perRow + (index >> 1)]! >> (index % 2 === 0 ? 0 : 4)) & 15;
  return Array.from({ length: rows * columns }, (_, i) => {
    const row = Math.floor(i / columns);
    const block = Math.floor((i % columns) / blockSize);
    const zeroPoint =
      quantized.zeroPoints === null
        ? 2 ** (bits - 1)
        : unpack(quantized.zeroPoints, row, Math.ceil((blocks * bits) / 8), block);
    const level = unpack(quantized.data, row, (columns * bits) / 8, i % columns);
    return (level - zeroPoint) * quantized.scales[row * blocks + block]!;
  });
}

describe.each([8, 4] as const)('%i bits', bits => {
  test.each([
    [16, true],
    [64, false],
    [32, false],
  ])(
    'blocks of %i, symmetric %s: stored values are near, and the error is the true one',
    (blockSize, symmetric) => {
      const format = { bits, blockSize, symmetric, float16Scales: false };
      const quantized = quantizeRows(values, columns, format);
      const stored = dequantize(quantized, format);
      const squaredError = values.reduce((sum, value, i) => sum + (value - stored[i]!) ** 2, 0);
      const squaredNorm = values.reduce((sum, value) => sum + value ** 2, 0);
      expect(quantized.squaredError).toBeCloseTo(squaredError, 6);
      expect(quantized.squaredNorm).toBeCloseTo(squaredNorm, 6);
      expect(Math.sqrt(squaredError / squaredNorm)).toBeLessThan(bits === 8 ? 0.006 : 0.09);
    },
  );

  test('a row of zeros stays zero', () => {
    for (const symmetric of [true, false]) {
      const format = { bits, blockSize: 64, symmetric, float16Scales: false };
      const quantized = quantizeRows(new Float32Array(rows * columns), columns, format);
      expect(dequantize(quantized, format).every(value => value === 0)).toBe(true);
    }
  });
});

test('scales in half precision are the ones that were quantized with', () => {
  const format: BlockFormat = { bits: 4, blockSize: 32, symmetric: false, float16Scales: true };
  const { scales } = quantizeRows(values, columns, format);
  for (const scale of scales) expect((scale * 2 ** 15) % 2 ** -6).toBe(0);
});

describe('the choice of a format', () => {
  const matrix = (data: Float32Array, width: number) => ({
    rows: data.length / width,
    columns: width,
    read: (from: number, to: number) => data.subarray(from * width, to * width),
  });
  const wanted = { bits: 8, float16Scales: false } as const;

  test('smooth values take the largest block that divides the inputs', () => {
    expect(chooseFormat(matrix(values, columns), wanted)).toMatchObject({ bits: 8, blockSize: 64 });
  });

  test('values with outliers take smaller blocks', () => {
    const spiky = values.map((value, i) => [8, -8][i % 64] ?? Math.sin(value * i));
    const format = chooseFormat(matrix(spiky, columns), wanted);
    expect(format?.blockSize).toBeLessThan(64);
  });

  test('inputs that no block divides, and values that no block fits, are left as they are', () => {
    expect(chooseFormat(matrix(values, 40), wanted)).toBeUndefined();
    const spread = values.map((value, i) => [10, -10][i % 16] ?? Math.sin(value * i));
    expect(chooseFormat(matrix(spread, columns), { ...wanted, bits: 4 })).toBeUndefined();
    expect(chooseFormat(matrix(spread, columns), wanted)).toMatchObject({ bits: 8 });
  });
});
