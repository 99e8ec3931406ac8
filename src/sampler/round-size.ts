/** How many candidates to ask a model for at once. */

/** How many to ask for, knowing how many were asked for before. Never changes a choice, only its cost. */
export type RoundSize = (drawn: number) => number;

/** What a native call costs beside its candidates, in candidates: measured on a story model, docs/sampling.md. */
const CANDIDATES_PER_CALL = 3;
const SMALLEST_ROUND = 3;

/**
 * The fused step brings one candidate along, so one is asked for first. A decision that took d draws and is open takes
 * about as many more. Rounds of r then cost d/r calls and waste r/2 candidates at the end: least at r = sqrt(2 c d),
 * where a call costs as much as c candidates.
 */
export const growingRounds: RoundSize = drawn =>
  drawn === 0 ? 1 : Math.max(SMALLEST_ROUND, Math.ceil(Math.sqrt(2 * CANDIDATES_PER_CALL * drawn)));
