/**
 * The Brier score of n-grams, estimated from draws alone (paper, section 4).
 *
 * Brier(P, y) = 2 P(y) - sum_x P(x)^2 is strictly proper. P(y) is estimated by the share of draws that equal y, and
 * the collision probability sum_x P(x)^2 by the share of equal pairs, a U-statistic; with two draws this is the
 * paper's 1{x1=y} + 1{x2=y} - 1{x1=x2}.
 */

/** Longest n-gram that BrierLM looks at. */
export const LONGEST_NGRAM = 4;

/** Estimates at one position for the n-grams that start there; entry n - 1 belongs to length n. */
export interface PositionScore {
  /** Of P(y). */
  readonly accuracy: readonly number[];
  /** Of sum_x P(x)^2. */
  readonly collision: readonly number[];
}

/** A chunk that draws agreed on, through which longer n-grams can collide. */
export interface Branch {
  readonly chunk: readonly number[];
  /** Estimate of P(chunk)^2. */
  readonly weight: number;
  /** Draws that gave this chunk. */
  readonly samples: number;
}

/** What the draws at one context say: prefixes of the drawn chunk, and how to go on behind it. */
export interface NodeScore extends PositionScore {
  /** The true chunk's share of the draws, of collisions, and of their number; all 0 off the true text. */
  readonly truth: { readonly accuracy: number; readonly weight: number; readonly samples: number };
  /** The other chunks in which draws collide. */
  readonly branches: readonly Branch[];
}

/**
 * Scores independent draws at one context.
 *
 * @param draws token sequences of one length, at least `truth`'s
 * @param length prefixes of 1 to `length` tokens are scored
 * @param truth what follows in the text; null where the context is not the text's own
 */
export function scoreNode(
  draws: readonly (readonly number[])[],
  length: number,
  truth: readonly number[] | null,
): NodeScore {
  const accuracy: number[] = [];
  const collision: number[] = [];
  let classes = [draws];
  for (let index = 0; index < length; index += 1) {
    classes = classes.flatMap(members => splitByToken(members, index));
    accuracy.push((truthClass(classes, truth, index + 1)?.length ?? 0) / Math.max(1, draws.length));
    collision.push(classes.reduce((sum, members) => sum + pairShare(members.length, draws.length), 0));
  }
  const same = truthClass(classes, truth, length);
  const samples = same?.length ?? 0;
  return {
    accuracy,
    collision,
    truth: { accuracy: accuracy.at(-1) ?? 0, weight: pairShare(samples, draws.length), samples },
    branches: classes
      .filter(members => members !== same && members.length > 1)
      .map(members => ({
        chunk: members[0] as readonly number[],
        weight: pairShare(members.length, draws.length),
        samples: members.length,
      })),
  };
}

/** Share of the pairs among `total` draws whose both members are among `members` of them; 0 without a pair. */
function pairShare(members: number, total: number): number {
  return total < 2 ? 0 : (members * (members - 1)) / (total * (total - 1));
}

/** Classes of draws that agree in token `index`, in order of their first member. */
function splitByToken(draws: readonly (readonly number[])[], index: number): (readonly number[])[][] {
  const byToken = new Map<number | undefined, (readonly number[])[]>();
  for (const draw of draws) {
    const known = byToken.get(draw[index]);
    if (known === undefined) byToken.set(draw[index], [draw]);
    else known.push(draw);
  }
  return [...byToken.values()];
}

/** Members of a class agree in their first `length` tokens, so the first one speaks for all. */
function truthClass(
  classes: readonly (readonly (readonly number[])[])[],
  truth: readonly number[] | null,
  length: number,
): readonly (readonly number[])[] | undefined {
  if (truth === null) return undefined;
  return classes.find(members => {
    const draw = members[0];
    return draw !== undefined && truth.slice(0, length).every((token, index) => draw[index] === token);
  });
}
