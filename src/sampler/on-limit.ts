/** What decides where an exact law has not spoken within the draws that it may take. */
import { CalmError } from '../errors.js';
import { poolWeights } from './pool-weights.js';
import { exponentOf } from './power.js';
import type { TemperatureLaw } from './settings.js';
import type { RandomStream } from './uniform.js';
import { weightedChoice } from './weighted-choice.js';

/** Chooses one of some outcomes by how many candidates each has (at least one outcome, each at least one), or throws. */
export type OnLimit = (counts: readonly number[], random: RandomStream) => number;

/** The candidates decide as a pool, by their counts. One number of the stream. */
export function chooseByCounts(temperature: number): OnLimit {
  return (counts, random) => weightedChoice(poolWeights(counts, temperature), random.next());
}

/** The request ends with a sentence. */
export function failAtLimit(temperature: number, limit: number, law: TemperatureLaw): OnLimit {
  return () => {
    throw limitReached(temperature, limit, law);
  };
}

/** The exact sampler drew as many candidates as it may: `sampler_limit`, naming what needs fewer and is not set yet. */
export function limitReached(temperature: number, limit: number, law: TemperatureLaw): CalmError {
  const { repeats, fraction } = exponentOf(temperature)!;
  const remedies = ['"auto"'];
  if (fraction > 0 || repeats > 2) remedies.push('a temperature of 1/2');
  if (fraction > 0 || repeats > 1) remedies.push('a temperature of 1');
  if (law === 'chunk') remedies.push('`temperature_law` "token"');
  return new CalmError(
    'sampler_limit',
    `\`sampler\` "exact" drew ${limit} candidates for one chunk at temperature ${temperature} without a decision; ` +
      `that is this server's limit. Use ${remedies.join(' or ')}.`,
    { param: 'sampler' },
  );
}
