/** What decides where an exact law has not spoken within the draws that it may take. */
import { CalmError } from '../errors.js';
import type { CandidateTree } from './candidate-tree.js';
import { poolWeights } from './pool-weights.js';
import { exponentOf } from './power.js';
import type { TemperatureLaw } from './settings.js';
import type { RandomStream } from './uniform.js';
import { weightedChoice } from './weighted-choice.js';

/** Chooses one of some nodes (at least one, all with candidates), or throws. */
export type OnLimit = (tree: CandidateTree, nodes: readonly number[], random: RandomStream) => number;

/** The candidates decide as a pool, by their counts. */
export function chooseByCounts(temperature: number): OnLimit {
  return (tree, nodes, random) => {
    const weights = poolWeights(
      nodes.map(node => tree.count(node)),
      temperature,
    );
    return nodes[weightedChoice(weights, random.next())]!;
  };
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
