/** The random numbers that a CALM's head turns into candidates. */
import { fillNoise } from '../sampler/noise.js';
import { fillNormalNoise } from '../sampler/normal.js';
import type { CalmManifest } from './manifest.js';

/** Writes the noise of one candidate, `size` numbers of the head's law, to `out[offset .. offset + size)`. */
export type NoiseSource = typeof fillNoise;

/** The law that the package's head was trained on, as a pure function of (seed, choice, step, candidate). */
export function noiseSourceOf({ head }: CalmManifest): NoiseSource {
  return head.noise === 'uniform' ? fillNoise : fillNormalNoise;
}
