/** Which algorithm decides at which temperature. */
import type { ChunkDecision } from './decision.js';
import { lazyPoolDecision } from './lazy-pool.js';
import { pluralityDecision } from './plurality.js';
import { poolDecision } from './pool.js';
import type { SamplingSettings } from './settings.js';
import { singleDraw } from './single-draw.js';
import { RandomStream } from './uniform.js';

/** A temperature this close to 1/n, relatively, is 1/n: 0.333 means 1/3. */
const RECIPROCAL_TOLERANCE = 0.005;

/**
 * Begins the decision of one step of a request. `step` is the number of chunks generated before it; with the
 * seed and the choice it keys every random number, so the same call makes the same decision.
 */
export function startDecision(settings: SamplingSettings, step: number): ChunkDecision {
  const { temperature, numCandidates, seed, choice } = settings;
  if (temperature === 0) return pluralityDecision(numCandidates);
  const n = reciprocal(temperature);
  if (n === 1) return singleDraw();
  const random = new RandomStream({ seed, choice, step });
  return n === undefined
    ? poolDecision(numCandidates, 1 / temperature, random.next())
    : lazyPoolDecision(numCandidates, n, random);
}

/** The integer n with T = 1/n, within 0.5 %, if there is one; T > 0. */
export function reciprocal(temperature: number): number | undefined {
  const n = Math.max(1, Math.round(1 / temperature));
  return Math.abs(temperature * n - 1) <= RECIPROCAL_TOLERANCE ? n : undefined;
}
