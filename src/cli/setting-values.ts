/** Schemas for settings that come as text (a flag, the environment) or as JSON values (a file). */
import { z } from 'zod';
import { byteSize } from './option-values.js';

/** A whole number from `least` to `most`. */
export function wholeNumberSetting(least: number, most = Number.MAX_SAFE_INTEGER) {
  const readText = (value: unknown): unknown =>
    typeof value === 'string' && /^[+-]?\d+$/.test(value) ? Number(value) : value;
  return z.preprocess(readText, z.int().min(least).max(most));
}

/** A whole number as in `wholeNumberSetting`, or 0. */
export function wholeNumberOrNothingSetting(least: number, most: number) {
  return z.union([z.literal([0, '0']).transform(() => 0), wholeNumberSetting(least, most)]);
}

/** What such a number must be, for its error. */
export function wholeNumberSentence(least: number, most?: number): string {
  return most === undefined ? `a whole number from ${least} up` : `a whole number from ${least} to ${most}`;
}

/** A size in bytes: a number, or text such as 2GiB. */
export function sizeSetting() {
  const readText = (value: unknown): unknown => {
    try {
      return typeof value === 'string' ? byteSize(value) : value;
    } catch {
      return value;
    }
  };
  return z.preprocess(readText, z.int().positive());
}

/** A size as in `sizeSetting`, or 0. */
export function sizeOrNothingSetting() {
  return z.union([z.literal([0, '0']).transform(() => 0), sizeSetting()]);
}

/** On or off: true, false, 1 or 0. */
export function switchSetting() {
  const words: Readonly<Record<string, boolean>> = { true: true, '1': true, false: false, '0': false };
  const readText = (value: unknown): unknown =>
    typeof value === 'string' ? (words[value.toLowerCase()] ?? value) : value;
  return z.preprocess(readText, z.boolean());
}

/** Names: an array (a flag given several times), or one text with commas between them. */
export function namesSetting() {
  const readText = (value: unknown): unknown => (typeof value === 'string' ? splitNames(value) : value);
  return z.preprocess(readText, z.array(z.string().min(1)).readonly());
}

/** Names with commas between them, in one text or in several. */
export function commaNamesSetting() {
  const readText = (value: unknown): unknown =>
    [value].flat().flatMap(part => (typeof part === 'string' ? splitNames(part) : [part]));
  return z.preprocess(readText, z.array(z.string().min(1)).readonly());
}

function splitNames(text: string): string[] {
  return text
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '');
}
