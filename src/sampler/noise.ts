/** The noise that the energy head turns into candidates: uniform in [-0.5, 0.5), a pure function of its key. */
import { philox4x32 } from './philox.js';
import { keyHigh, keyLow, RANDOM_DOMAIN } from './random-key.js';

/** Which candidate the noise belongs to. Integers; 0 <= seed < 2^53, the others 0 <= x < 2^32. */
export interface NoiseKey {
  readonly seed: number;
  /** Which of the request's n choices. */
  readonly choice: number;
  /** Chunks generated before this one. */
  readonly step: number;
  /** Number of the candidate within the step's decision, from 0. */
  readonly candidate: number;
}

/**
 * Writes `size` numbers, uniform in [-0.5, 0.5) on a grid of 2^-24, to `out[offset .. offset + size)`.
 * Every value is exact in float32, and the range is that of the reference's `torch.rand(...) - 0.5`.
 */
export function fillNoise(out: Float32Array, offset: number, size: number, key: NoiseKey): void {
  const words = new Uint32Array(4);
  const key0 = keyLow(key.seed);
  const key1 = keyHigh(key.seed, RANDOM_DOMAIN.noise);
  for (let block = 0; block * 4 < size; block += 1) {
    philox4x32(words, block, key.candidate, key.step, key.choice, key0, key1);
    const start = block * 4;
    const count = Math.min(4, size - start);
    for (let i = 0; i < count; i += 1) {
      out[offset + start + i] = (words[i]! >>> 8) * 2 ** -24 - 0.5;
    }
  }
}
