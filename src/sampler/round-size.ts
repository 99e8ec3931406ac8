/** How many candidates to ask a model for at once. */

/**
 * How many to ask for, knowing how many were asked for before, and whether any two of them agree. Never changes a
 * choice, only its cost.
 */
export type RoundSize = (drawn: number, anyAgree: boolean) => number;

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
export const growingRounds: RoundSize = (drawn, anyAgree) => {
  if (drawn === 0) return 1;
  const round = anyAgree ? Math.ceil(Math.sqrt(2 * CANDIDATES_PER_CALL * drawn)) : 2 * drawn;
  return Math.max(SMALLEST_ROUND, round);
};
