/** How many candidates to ask a model for at once. */
import { binomialRatio } from './binomial.js';

/**
 * How many to ask for, knowing how many were asked for before, and how many of them there are of each outcome. Never
 * changes a choice, only its cost.
 */
export type RoundSize = (drawn: number, counts: () => readonly number[]) => number;

/** What a native call costs beside its candidates, in candidates: measured on a story model, docs/sampling.md. */
const CANDIDATES_PER_CALL = 3;
const SMALLEST_ROUND = 3;

/**
 * The fused step brings one candidate along, so one is asked for first. A decision that took d draws and is open takes
 * about as many more. Rounds of r then cost d/r calls and waste r/2 candidates at the end: least at r = sqrt(2 c d),
 * where a call costs as much as c candidates.
 *
 * Where no two of d candidates agree, collisions are likely rarer than 2/d^2, and a decision among twice as many more is
 * about as unlikely as 2/d: nothing is wasted by asking for them at once.
 */
export const growingRounds: RoundSize = (drawn, counts) => {
  if (drawn === 0) return 1;
  const anyAgree = counts().some(count => count > 1);
  return Math.max(SMALLEST_ROUND, anyAgree ? bestRound(drawn) : 2 * drawn);
};

/**
 * The same for the exact law of T = 1/n: all n-subsets of the candidates together say more of how long it will take than
 * that it took long so far. The share of those that agree is an estimate of S_n = sum p^n without bias, and about 2 / S_n
 * draws are expected. At n = 2 it saves little, and fetches more in excess (docs/sampling.md).
 */
export function roundsByAgreement(n: number): RoundSize {
  return (drawn, counts) => {
    if (drawn === 0) return 1;
    const share = counts().reduce((sum, count) => sum + binomialRatio(count, drawn, n), 0);
    const expected = Math.max(drawn, 2 / share);
    return Math.max(SMALLEST_ROUND, Math.min(2 * drawn, bestRound(expected)));
  };
}

function bestRound(expectedDraws: number): number {
  return Math.ceil(Math.sqrt(2 * CANDIDATES_PER_CALL * expectedDraws));
}
