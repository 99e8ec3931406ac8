/** Readers for the values of command-line options; commander puts the option's name in front of their sentences. */
import { InvalidArgumentError } from 'commander';
import type { LatencyBound } from './settings.js';

/** A reader for whole numbers from `least` up. */
export function wholeNumber(least: number): (text: string) => number {
  return text => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && Number.isSafeInteger(value)) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${least} up.`);
  };
}

/** A reader for numbers from `least` to `most`; `least` itself only where it is not excluded. */
export function numberBetween(least: number, most: number, excludeLeast = false): (text: string) => number {
  return text => {
    const value = Number(text);
    if (text.trim() !== '' && value <= most && (excludeLeast ? value > least : value >= least)) return value;
    throw new InvalidArgumentError(
      excludeLeast ? `It must be a number above ${least}.` : `It must be a number from ${least} to ${most}.`,
    );
  };
}

/** A reader for different values with commas between them. */
export function listOf<Value>(read: (text: string) => Value): (text: string) => Value[] {
  return text => [...new Set(text.split(',').map(part => read(part.trim())))];
}

/** Collects an option that may be given several times. */
export function collect(value: string, previous: readonly string[]): string[] {
  return [...previous, value];
}

const boundNames: Readonly<Record<string, keyof LatencyBound>> = {
  ttft: 'ttftMs',
  tpot: 'perTokenMs',
  e2e: 'e2eMs',
};

/** Reads `ttft:500,tpot:50,e2e:3000`, in milliseconds; any of them may be left out. */
export function latencyBound(text: string): LatencyBound {
  const bound: Record<keyof LatencyBound, number | null> = { ttftMs: null, perTokenMs: null, e2eMs: null };
  for (const part of text.split(',')) {
    const [name, value] = part.split(':', 2);
    const key = boundNames[name?.trim() ?? ''];
    const limitMs = Number(value);
    if (!key || !(limitMs > 0)) {
      throw new InvalidArgumentError('It must look like ttft:500,tpot:50,e2e:3000, in milliseconds.');
    }
    bound[key] = limitMs;
  }
  return bound;
}
