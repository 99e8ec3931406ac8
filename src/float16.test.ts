import { expect, test } from 'vitest';
import { float16Rounder, float16Value, toFloat16 } from './float16.js';

test('every half converts to a number and back', () => {
  const all = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);
  const back = toFloat16(Float32Array.from(all, float16Value));
  // The sign of zero and the payload of a NaN need not survive.
  const changed = all.filter(
    (bits, i) => back[i] !== bits && (bits & 0x7fff) <= 0x7c00 && (bits & 0x7fff) > 0,
  );
  expect([...changed]).toEqual([]);
  expect(back[0x7e01]! & 0x7fff).toBeGreaterThan(0x7c00);
});

test('a number becomes the nearest half, and of two equally near ones the even one', () => {
  const round = float16Rounder();
  for (const exponent of [-24, -20, -15, -14, -3, 0, 9]) {
    const step = 2 ** Math.max(exponent - 10, -24);
    for (const mantissa of [0, 1, 2, 3, 511, 1022]) {
      const low = Math.max(2 ** exponent, 2 ** -24) + mantissa * step;
      const middle = low + step / 2;
      const even = toFloat16(Float32Array.of(low))[0]! % 2 === 0 ? low : low + step;
      expect(round(low + step * 0.49)).toBe(low);
      expect(round(low + step * 0.51)).toBe(low + step);
      expect(round(middle)).toBe(even);
      expect(round(-middle)).toBe(-even);
    }
  }
});

test('the ends of the range', () => {
  const round = float16Rounder();
  expect(round(65519)).toBe(65504);
  expect(round(65520)).toBe(Number.POSITIVE_INFINITY);
  expect(round(2 ** -25)).toBe(0);
  expect(round(2 ** -25 * 1.01)).toBe(2 ** -24);
});
