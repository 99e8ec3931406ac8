/** Standard normal numbers, a pure function of their key. */
import type { NoiseKey } from './noise.js';
import { philox4x32 } from './philox.js';
import { keyHigh, keyLow, RANDOM_DOMAIN } from './random-key.js';

/** Which numbers are wanted. Integers; 0 <= seed < 2^53, 0 <= step < 2^32. */
export interface NormalKey {
  readonly seed: number;
  /** Which of the seed's vectors; the caller gives each use its own. */
  readonly step: number;
}

/** Writes `size` independent standard normal numbers to `out[offset .. offset + size)`. */
export function fillNormals(out: Float32Array, offset: number, size: number, key: NormalKey): void {
  const key0 = keyLow(key.seed);
  const key1 = keyHigh(key.seed, RANDOM_DOMAIN.normal);
  fillFromWords(out, offset, size, (words, block) => philox4x32(words, block, key.step, 0, 0, key0, key1));
}

/** The noise of a flow or diffusion head: as fillNormals, keyed by candidate. */
export function fillNormalNoise(out: Float32Array, offset: number, size: number, key: NoiseKey): void {
  const key0 = keyLow(key.seed);
  const key1 = keyHigh(key.seed, RANDOM_DOMAIN.normalNoise);
  fillFromWords(out, offset, size, (words, block) =>
    philox4x32(words, block, key.candidate, key.step, key.choice, key0, key1),
  );
}

/** Box and Muller (1958): a normal number for each of a block's four random words. */
function fillFromWords(
  out: Float32Array,
  offset: number,
  size: number,
  draw: (words: Uint32Array, block: number) => void,
): void {
  const words = new Uint32Array(4);
  for (let block = 0; block * 4 < size; block += 1) {
    draw(words, block);
    for (let pair = 0; pair < 2; pair += 1) {
      // In (0, 1], so that the logarithm is finite.
      const radius = Math.sqrt(-2 * Math.log((words[2 * pair]! + 1) * 2 ** -32));
      const angle = 2 * Math.PI * words[2 * pair + 1]! * 2 ** -32;
      const at = 4 * block + 2 * pair;
      if (at < size) out[offset + at] = radius * Math.cos(angle);
      if (at + 1 < size) out[offset + at + 1] = radius * Math.sin(angle);
    }
  }
}
