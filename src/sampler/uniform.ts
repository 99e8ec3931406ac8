/** Uniform numbers for choices: which token, which chunk. They never share a random word with the head's noise. */
import { philox4x32 } from './philox.js';
import { keyHigh, keyLow, RANDOM_DOMAIN, type RandomDomain } from './random-key.js';

/** Which number is wanted. Integers; 0 <= seed < 2^53, the others 0 <= x < 2^32. */
export interface UniformKey {
  readonly seed: number;
  /** Which of the request's n choices. */
  readonly choice: number;
  /** Chunks generated before this one. */
  readonly step: number;
  /** Which number of this step; the caller gives each use its own. */
  readonly stream: number;
}

/** The number of this key: uniform in [0, 1) on a grid of 2^-53. */
export function uniformAt(key: UniformKey): number {
  return uniformIn(RANDOM_DOMAIN.uniform, key.seed, key.choice, key.step, key.stream);
}

/** Uniform numbers in [0, 1), one after the other, of one step's decision; keyed by (seed, choice, step). */
export class RandomStream {
  readonly #seed: number;
  readonly #choice: number;
  readonly #step: number;
  #position = 0;

  constructor(key: { readonly seed: number; readonly choice: number; readonly step: number }) {
    this.#seed = key.seed;
    this.#choice = key.choice;
    this.#step = key.step;
  }

  /** The next number, uniform in [0, 1) on a grid of 2^-53. */
  next(): number {
    const number = this.peek();
    this.#position += 1;
    return number;
  }

  /** The number that `next` will give: for getting ready what it will decide, never for deciding. */
  peek(): number {
    return uniformIn(RANDOM_DOMAIN.selection, this.#seed, this.#choice, this.#step, this.#position);
  }
}

function uniformIn(
  domain: RandomDomain,
  seed: number,
  choice: number,
  step: number,
  position: number,
): number {
  const words = new Uint32Array(4);
  philox4x32(words, 0, position, step, choice, keyLow(seed), keyHigh(seed, domain));
  return ((words[0]! >>> 5) * 2 ** 26 + (words[1]! >>> 6)) * 2 ** -53;
}
