import { expect, it } from 'vitest';
import { narrowToFloat16, widenFloat16 } from './float16.js';

it('knows the bits of well-known halves', () => {
  const known: [number, number][] = [
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [0.5, 0x3800],
    [1 / 3, 0x3555],
    [65504, 0x7bff],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [1023 * 2 ** -24, 0x03ff],
    [Number.POSITIVE_INFINITY, 0x7c00],
    [Number.NEGATIVE_INFINITY, 0xfc00],
  ];
  expect([...narrowToFloat16(Float32Array.from(known, ([value]) => value))]).toEqual(
    known.map(([, bits]) => bits),
  );
});

it('gives back every half that it widens', () => {
  const all = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);
  const isNumber = (bits: number): boolean => (bits & 0x7c00) !== 0x7c00 || (bits & 0x3ff) === 0;
  const numbers = all.filter(isNumber);
  expect(narrowToFloat16(widenFloat16(numbers))).toEqual(numbers);
  expect(widenFloat16(all.filter(bits => !isNumber(bits))).every(Number.isNaN)).toBe(true);
  expect(narrowToFloat16(Float32Array.of(Number.NaN))).toEqual(Uint16Array.of(0x7e00));
});

it('rounds to the nearest half, ties to even', () => {
  const cases: [number, number][] = [
    [1 + 2 ** -11, 1],
    [1 + 3 * 2 ** -11, 1 + 2 ** -9],
    [1 + 2 ** -11 + 2 ** -20, 1 + 2 ** -10],
    [2047.5, 2048],
    [2049, 2048],
    [2051, 2052],
    [2 ** -25, 0],
    [3 * 2 ** -25, 2 ** -23],
    [65519, 65504],
    [65520, Number.POSITIVE_INFINITY],
  ];
  const rounded = widenFloat16(narrowToFloat16(Float32Array.from(cases, ([value]) => value)));
  expect([...rounded]).toEqual(cases.map(([, expected]) => expected));
});
