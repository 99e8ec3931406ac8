import { describe, expect, test } from 'vitest';
import { cutLongRuns, MAX_RUN } from './long-runs.js';

/** Longest run of one class, counted in code points, in any part. */
function longestRun(parts: readonly string[], unit: RegExp): number {
  return Math.max(
    0,
    ...parts.flatMap(part => Array.from(part.matchAll(unit), match => [...match[0]].length)),
  );
}

describe('cutLongRuns', () => {
  test('leaves ordinary text alone, however long', () => {
    const text = 'A sentence, 12345 numbers; 漢字かな交じり文。\n'.repeat(1000);
    expect(cutLongRuns(text)).toEqual([text]);
    expect(cutLongRuns('')).toEqual(['']);
    const longest = 'x'.repeat(MAX_RUN);
    expect(cutLongRuns(`${longest} ${longest}`)).toHaveLength(1);
  });

  test.each([
    ['letters', 'aé漢', /[\p{L}\p{M}]+/gu],
    ['letters with marks', 'e\u0301', /[\p{L}\p{M}]+/gu],
    ['letters of two units', '\u{20000}', /\p{L}+/gu],
    ['digits', '0٣', /\p{N}+/gu],
    ['white space', ' \n', /\s+/gu],
    ['marks', '=-🎉', /[^\s\p{L}\p{N}]+/gu],
    ['marks of both kinds', '.\u0301', /[^\s\p{L}\p{N}]+/gu],
  ])('cuts runs of %s', (_, unit, runs) => {
    const text = `before ${unit.repeat(5000)} after`;
    const parts = cutLongRuns(text);
    expect(parts.join('')).toBe(text);
    expect(longestRun(parts, runs)).toBe(MAX_RUN);
    for (const part of parts) expect(part).not.toMatch(/^[\udc00-\udfff]|[\ud800-\udbff]$/);
  });
});
