/**
 * A pool's choice under controls. Law: finite-pool estimates of (p^power e^logFactor)^(1/T) / Z from the counts
 * (pool-weights.ts), without the tail that is cut; right in the limit of many candidates. Cost: no draws of its own, but
 * the pool's N, and more only where none of N is allowed; then time in proportion to the distinct outcomes.
 */
import type { CandidateTree } from '../candidate-tree.js';
import { logPoolPower } from '../pool-weights.js';
import type { TokenControls } from '../settings.js';
import type { RandomStream } from '../uniform.js';
import { weightedChoice } from '../weighted-choice.js';
import type { OutcomeWeight } from './controlled-outcomes.js';
import { cutTail } from './cut-tail.js';

export interface PoolInput {
  readonly tree: CandidateTree;
  /** At least one; none is banned. */
  readonly outcomes: readonly number[];
  readonly weightOf: (outcome: number) => OutcomeWeight;
  /** Candidates that could have been one of the outcomes, or a banned one. */
  readonly total: number;
  readonly temperature: number;
  readonly controls: TokenControls;
  readonly random: RandomStream;
}

/** The chosen outcome. At T = 0 it is the likeliest, among equals the one seen first. */
export function chooseFromPool(input: PoolInput): number {
  const { outcomes, temperature, controls, random } = input;
  const logWeights = logWeightsOf(input);
  const peak = logWeights.reduce((a, b) => Math.max(a, b), -Infinity);
  if (temperature === 0) return outcomes[logWeights.indexOf(peak)]!;
  const weights = logWeights.map(logWeight => Math.exp(logWeight - peak));
  return outcomes[weightedChoice(cutTail(weights, controls), random.next())]!;
}

/** Of (p^power e^logFactor)^(1/T); at T = 0 without the 1/T, which would not change the order. */
function logWeightsOf({ tree, outcomes, weightOf, total, temperature }: PoolInput): number[] {
  const counts = outcomes.map(outcome => tree.count(outcome));
  const inverse = temperature === 0 ? 1 : 1 / temperature;
  // No count says anything of a power above it: the cascade of Algorithm 2.
  const largestPower = temperature === 0 ? 1 : counts.reduce((a, b) => Math.max(a, b), 0);
  return outcomes.map((outcome, i) => {
    const { logFactor, power } = weightOf(outcome);
    if (temperature === 0) return power * Math.log(counts[i]! / total) + logFactor;
    return logPoolPower(counts[i]!, total, Math.min(power * inverse, largestPower)) + logFactor * inverse;
  });
}
