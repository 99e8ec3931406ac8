/** What decides where an exact law has not spoken within the draws that it may take. */
import { CalmError } from '../errors.js';
import { poolWeights } from './pool-weights.js';
import type { RandomStream } from './uniform.js';
import { weightedChoice } from './weighted-choice.js';

/** Chooses one of some outcomes by how many candidates each has (at least one outcome, each at least one), or throws. */
export type OnLimit = (counts: readonly number[], random: RandomStream) => number;

/** The candidates decide as a pool, by their counts. One number of the stream. */
export function chooseByCounts(temperature: number): OnLimit {
  return (counts, random) => weightedChoice(poolWeights(counts, temperature), random.next());
}

/** The request ends with a sentence. */
export function failAtLimit(temperature: number, limit: number): OnLimit {
  return () => {
    throw limitReached(temperature, limit);
  };
}

/** The exact sampler drew as many candidates as it may. */
export function limitReached(temperature: number, limit: number): CalmError {
  return new CalmError(
    'sampler_limit',
    `\`sampler\` "exact" drew ${limit} candidates for one chunk at temperature ${temperature} without a decision; ` +
      'that is this server\'s limit. Use "auto", a temperature of 1/2 or 1, or `temperature_law` "token".',
    { param: 'sampler' },
  );
}
