/** What decides where an exact law has not spoken within the draws that it may take. */
import { CalmError } from '../errors.js';
import type { CandidateTree } from './candidate-tree.js';
import type { RandomStream } from './uniform.js';
import { weightedChoice } from './weighted-choice.js';

/** Chooses one of some nodes (at least one, all with candidates), or throws. */
export type OnLimit = (tree: CandidateTree, nodes: readonly number[], random: RandomStream) => number;

/** The candidates decide as a pool: weight count^(1/T), the plug-in estimate of p^(1/T) / Z. */
export function chooseByCounts(temperature: number): OnLimit {
  return (tree, nodes, random) => {
    const counts = nodes.map(node => tree.count(node));
    const largest = counts.reduce((a, b) => Math.max(a, b), 0);
    // Over the largest count, so that no power overflows.
    const weights = counts.map(count => (count / largest) ** (1 / temperature));
    return nodes[weightedChoice(weights, random.next())]!;
  };
}

/** The request ends with a sentence. */
export function failAtLimit(temperature: number, limit: number): OnLimit {
  return () => {
    throw new CalmError(
      'sampler_limit',
      `\`sampler\` "exact" drew ${limit} candidates for one chunk at temperature ${temperature} without a decision; ` +
        'that is this server\'s limit. Use "auto", a temperature closer to 1, or `temperature_law` "token".',
      { param: 'sampler' },
    );
  };
}
