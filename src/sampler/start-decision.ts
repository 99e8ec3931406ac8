/** Which algorithm decides at which settings. docs/sampling.md has the table. */
import type { ChunkDecision } from './decision.js';
import { chunkLawDecision } from './exact-chunk-law.js';
import type { Power } from './exact-power.js';
import { lazyPoolDecision } from './lazy-pool.js';
import { chooseByCounts, failAtLimit } from './on-limit.js';
import { pluralityDecision } from './plurality.js';
import { poolDecision } from './pool.js';
import { exponentOf, mendoCoin } from './power.js';
import { growingRounds } from './round-size.js';
import { DEFAULT_SAMPLER, DEFAULT_TEMPERATURE_LAW, type SamplingSettings } from './settings.js';
import { singleDraw } from './single-draw.js';
import { tokenLawDecision } from './token-law.js';
import { RandomStream } from './uniform.js';

/** Where nothing else is said: most candidates that the exact sampler draws for one chunk before it gives up. */
export const DEFAULT_EXACT_DRAW_LIMIT = 65_536;

/**
 * Begins the decision of one step of a request. `step` is the number of chunks generated before it; with the
 * seed and the choice it keys every random number, so the same call makes the same decision.
 *
 * A decision of the exact sampler throws `sampler_limit` once it has drawn `exactDrawLimit` candidates.
 */
export function startDecision(
  settings: SamplingSettings,
  step: number,
  exactDrawLimit = DEFAULT_EXACT_DRAW_LIMIT,
): ChunkDecision {
  const { temperature, numCandidates, seed, choice } = settings;
  const sampler = settings.sampler ?? DEFAULT_SAMPLER;
  const law = settings.temperatureLaw ?? DEFAULT_TEMPERATURE_LAW;
  if (temperature === 0) return pluralityDecision(numCandidates, law);
  const random = new RandomStream({ seed, choice, step });
  const exponent = exponentOf(temperature);
  if (exponent === null) return poolDecision(numCandidates, temperature, law, random);
  const { repeats, fraction } = exponent;
  if (repeats === 1 && fraction === 0) return singleDraw();
  if (sampler === 'pool') {
    return law === 'chunk' && fraction === 0
      ? lazyPoolDecision(numCandidates, repeats, random)
      : poolDecision(numCandidates, temperature, law, random);
  }
  const limit = sampler === 'exact' ? exactDrawLimit : numCandidates;
  const onLimit = sampler === 'exact' ? failAtLimit(temperature, limit) : chooseByCounts(temperature);
  const power: Power = fraction === 0 ? { repeats } : { repeats, coin: mendoCoin(fraction) };
  const decide = law === 'chunk' ? chunkLawDecision : tokenLawDecision;
  return decide(limit, power, onLimit, random, growingRounds);
}
