/** Readers for the values of command-line options; commander puts the option's name in front of their sentences. */
import { InvalidArgumentError } from 'commander';

/** A reader for whole numbers from `least` to `most`. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} up` : `from ${least} to ${most}`;
  return text => {
    const value = Number(text);
    if (/^[+-]?\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a whole number ${range}.`);
  };
}

/** A reader for numbers from `least` to `most`. */
export function numberBetween(least: number, most: number): (text: string) => number {
  return text => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be a number from ${least} to ${most}.`);
  };
}

const unitBytes: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
};

/** Reads a size in bytes: 1073741824, 500MB or 2GiB. */
export function byteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmg]i?)?b?$/i.exec(text.trim());
  const unit = unitBytes[(match?.[2] ?? '').toLowerCase()];
  const bytes = match && unit ? Math.floor(Number(match[1]) * unit) : 0;
  if (bytes > 0) return bytes;
  throw new InvalidArgumentError('It must be a size such as 1073741824, 500MB or 2GiB.');
}

/** Collects an option that may be given several times. */
export function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** A reader for values with commas between them. */
export function listOf<Value>(read: (text: string) => Value): (text: string) => Value[] {
  return text => text.split(',').map(part => read(part.trim()));
}
