/** Which algorithm decides at which temperature. */
import type { ChunkDecision } from './decision.js';
import { pluralityDecision } from './plurality.js';
import { poolDecision, type Sharpening } from './pool.js';
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
  if (settings.temperature === 0) return pluralityDecision(settings.numCandidates);
  const sharpening = sharpeningOf(settings.temperature);
  if (sharpening.kind === 'integer' && sharpening.n === 1) return singleDraw();
  const random = new RandomStream({ seed: settings.seed, choice: settings.choice, step });
  return poolDecision(settings.numCandidates, sharpening, random.next());
}

/** The power 1/T of a temperature T > 0, as an integer where T is within 0.5 % of its reciprocal. */
export function sharpeningOf(temperature: number): Sharpening {
  const n = Math.max(1, Math.round(1 / temperature));
  return Math.abs(temperature * n - 1) <= RECIPROCAL_TOLERANCE
    ? { kind: 'integer', n }
    : { kind: 'real', exponent: 1 / temperature };
}
