/** How many candidates to ask a model for at once. */
import { binomialRatio } from './binomial.js';

/**
 * How many to ask for, knowing how many were asked for before, how many there are of each outcome, and how many may be
 * asked for at most. Never changes a choice, only its cost.
 */
export type RoundSize = (drawn: number, counts: () => readonly number[], left: number) => number;

/** What is known of a decision's cost before it begins. */
export interface DrawOutlook {
  /** Decisions that share the native calls. */
  readonly sharers: number;
  /** Candidates that the request's latest chunks needed in the mean; left out where it has none. */
  readonly expectedDraws?: number | undefined;
}

/** What a native call costs beside its candidates, in candidates: 7 to 15 on four shapes, docs/sampling.md. */
const CANDIDATES_PER_CALL = 12;
const SMALLEST_ROUND = 3;
/**
 * Calls that taking a whole pool at once saves over rounds, by what it wastes: a decision that mostly needs the pool but
 * for so many calls' worth is cheaper so. A plurality needs half of the pool before it can know anything, and then
 * asks several times for a little.
 */
const CALLS_SAVED = 0.5;
const CALLS_SAVED_BY_PLURALITY = 3;
/** Where nothing is known: some share, and the decision is like none before. */
const USUAL: DrawOutlook = { sharers: 4 };

/**
 * The fused step brings one candidate along, so one is asked for first. A decision that took d draws and is open takes
 * about as many more, or as many as the request's chunks before it. Rounds of r then cost d/r calls and waste r/2 candidates
 * at the end: least at r = sqrt(2 c d), where a call costs as much as c candidates.
 *
 * Where no two of d candidates agree, collisions are likely rarer than 2/d^2, and a decision among twice as many more is
 * about as unlikely as 2/d: nothing is wasted by asking for them at once.
 */
export function growingRounds(outlook: DrawOutlook = USUAL): RoundSize {
  return (drawn, counts, left) => {
    if (drawn === 0) return 1;
    const round = bestRound(Math.max(drawn, outlook.expectedDraws ?? 0), outlook);
    if (takesAll(drawn + left, CALLS_SAVED, outlook)) return left;
    const anyAgree = counts().some(count => count > 1);
    return withRest(anyAgree ? round : Math.max(round, 2 * drawn), left, outlook);
  };
}

/**
 * The same for the exact law of T = 1/n: all n-subsets of the candidates together say more of how long it will take than
 * that it took long so far. The share of those that agree is an estimate of S_n = sum p^n without bias, and about 2 / S_n
 * draws are expected. At n = 2 it saves little, and fetches more in excess (docs/sampling.md).
 */
export function roundsByAgreement(n: number, outlook: DrawOutlook = USUAL): RoundSize {
  return (drawn, counts, left) => {
    if (drawn === 0) return 1;
    if (takesAll(drawn + left, CALLS_SAVED, outlook)) return left;
    const share = counts().reduce((sum, count) => sum + binomialRatio(count, drawn, n), 0);
    const expected = Math.max(drawn, 2 / share);
    const atMost = Math.max(2 * drawn, bestRound(outlook.expectedDraws ?? 0, outlook));
    return withRest(Math.min(atMost, bestRound(expected, outlook)), left, outlook);
  };
}

/** The same for a plurality, which knows itself how many it needs at least. */
export function roundOfPlurality(wanted: number, drawn: number, left: number, outlook: DrawOutlook): number {
  return takesAll(drawn + left, CALLS_SAVED_BY_PLURALITY, outlook) ? left : withRest(wanted, left, outlook);
}

function bestRound(expectedDraws: number, outlook: DrawOutlook): number {
  return Math.ceil(Math.sqrt(2 * callCost(outlook) * expectedDraws));
}

/** Whether the request's chunks needed so much of the pool that one call for all of it is the cheapest. */
function takesAll(poolSize: number, callsSaved: number, outlook: DrawOutlook): boolean {
  const { expectedDraws } = outlook;
  return expectedDraws !== undefined && poolSize - expectedDraws < callsSaved * callCost(outlook);
}

/** What a round leaves of the pool comes along where a call of its own would cost more. */
function withRest(round: number, left: number, outlook: DrawOutlook): number {
  const size = Math.max(SMALLEST_ROUND, round);
  return left - size < callCost(outlook) ? left : size;
}

function callCost({ sharers }: DrawOutlook): number {
  return Math.max(1, CANDIDATES_PER_CALL / sharers);
}
