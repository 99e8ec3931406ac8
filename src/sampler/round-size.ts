/** How many candidates to ask a model for at once. */

/** How many to ask for, knowing how many were asked for before. Never changes a choice, only its cost. */
export type RoundSize = (drawn: number) => number;

/** Each native call has a fixed cost, each candidate too: rounds grow with what was drawn, which bounds both wastes. */
export const growingRounds: RoundSize = drawn => Math.max(4, Math.ceil(drawn / 2));
