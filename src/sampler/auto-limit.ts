/** How many candidates `auto` may take for one chunk. */
import { exponentOf } from './power.js';

/**
 * Candidates after which their counts decide: `numCandidates`, but half of them, rounded up, between T = 1/2 and 1
 * where one token is chosen after the other. What the second half would go to is the rest of chunks that began with a
 * rare token (docs/sampling.md).
 */
export function autoDrawLimit(numCandidates: number, temperature: number, isByToken: boolean): number {
  const exponent = exponentOf(temperature);
  const isBetween = exponent !== null && exponent.repeats === 1 && exponent.fraction > 0;
  return isByToken && isBetween ? Math.ceil(numCandidates / 2) : numCandidates;
}
