/**
 * When is what leads in a running count the likeliest outcome? PPR-1v1 of Jain, Shah, Gupta, Mehta, Nair, Vora, Khyalia,
 * Das, Ribeiro, Kalyanakrishnan, "PAC Mode Estimation using PPR Martingale Confidence Sequences" (AISTATS 2022), with
 * an uniform mixture over the alternatives only, and for outcomes that nobody can list. docs/sampling.md has the proof.
 */

/** How an outcome stands in the count. */
export interface Lead {
  /** How often it was drawn. */
  readonly ahead: number;
  /** How often the next best was. */
  readonly behind: number;
  /** Its place, from 1, among the outcomes in order of first appearance. */
  readonly rank: number;
}

/**
 * Whether an outcome may be called the likeliest. Asked after any draws, and as often as one likes, it is ever told so of
 * another outcome with probability `allowedError` at most.
 */
export function isCertain({ ahead, behind, rank }: Lead, allowedError: number): boolean {
  // The first draw of an outcome is why it is a candidate at all: it is no evidence.
  return leadEvidence(ahead - 1, behind) >= (rank * (rank + 1)) / allowedError;
}

/**
 * The evidence against "the other is at least as likely" in so many draws of the one and of the other: a martingale from 1
 * on where both are equally likely, E = integral of 2 p^a (1-p)^b over p from 1/2 to 1, divided by 2^-(a+b). With
 * integers it is the sum of C(a+b+1, j) over j <= a, over (b + 1) C(a+b+1, a).
 */
export function leadEvidence(ahead: number, behind: number): number {
  const total = ahead + behind + 1;
  let term = 1;
  let sum = 1;
  for (let j = ahead; j > 0 && term > 0; j -= 1) {
    term *= j / (total - j + 1);
    sum += term;
  }
  return sum / (behind + 1);
}
