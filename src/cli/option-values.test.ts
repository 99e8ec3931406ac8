import { describe, expect, it } from 'vitest';
import { byteSize, collect, numberBetween, wholeNumber } from './option-values.js';

describe('option values', () => {
  it('reads whole numbers within their range', () => {
    expect([wholeNumber(0, 9)('0'), wholeNumber(0, 9)('9'), wholeNumber(-5)('-5')]).toEqual([0, 9, -5]);
    for (const text of ['10', '-1', '1.5', '1e1', '0x1', '', ' ', 'x']) {
      expect(() => wholeNumber(0, 9)(text)).toThrow('It must be a whole number from 0 to 9.');
    }
  });

  it('reads numbers within their range', () => {
    expect([numberBetween(0, 2)('0.5'), numberBetween(0, 2)('2')]).toEqual([0.5, 2]);
    for (const text of ['-1', '2.1', 'hot', '', 'NaN']) {
      expect(() => numberBetween(0, 2)(text)).toThrow('It must be a number from 0 to 2.');
    }
  });

  it.each([
    ['1024', 1024],
    ['500MB', 500e6],
    ['2GiB', 2 ** 31],
    ['1.5 gib', 1.5 * 2 ** 30],
    ['8k', 8000],
  ])('reads the size %s', (text, bytes) => {
    expect(byteSize(text)).toBe(bytes);
  });

  it.each(['lots', '', '0', '-5MB', '5 apples', '1TBx'])('refuses the size %j', text => {
    expect(() => byteSize(text)).toThrow('It must be a size such as');
  });

  it('collects what is given several times', () => {
    expect(collect('b', collect('a', undefined))).toEqual(['a', 'b']);
  });
});
