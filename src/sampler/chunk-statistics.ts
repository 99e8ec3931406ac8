/**
 * What can be said of a chosen chunk's probability where there are only draws: how many of N fresh candidates begin
 * like it, token by token.
 *
 * Fresh, because the candidates of the decision are no sample of it: they end when the chunk is found, and hold it
 * at least once. Among N more the number that begin with the chunk's first i tokens is binomial, and of those the
 * number that go on with its next token is binomial too, with the conditional probability. The intervals are
 * Wilson's score intervals at 95 % (E. B. Wilson, JASA 22, 1927).
 */
import type { Chunk, ChunkDecision } from './decision.js';
import type { TokenStatistics } from './token-statistics.js';

/** Makes the decision, then draws `count` more candidates (at least 1) and reports how they agree with it. */
export function* withStatistics(decision: ChunkDecision, count: number): ChunkDecision {
  const choice = yield* decision;
  const fresh = yield count;
  return { ...choice, statistics: tokenStatistics(choice.chunk, fresh) };
}

/** One entry for each token of the chunk. */
export function tokenStatistics(chunk: Chunk, fresh: readonly Chunk[]): TokenStatistics[] {
  let alike = fresh;
  return chunk.map((token, i) => {
    const of = alike.length;
    alike = alike.filter(candidate => candidate[i] === token);
    const count = alike.length;
    return { count, of, probability: of === 0 ? null : count / of, interval: wilsonInterval(count, of) };
  });
}

/** The 97.5 % quantile of the normal distribution. */
const Z = 1.959963984540054;

/** Wilson's 95 % score interval for the probability behind `count` successes of `of` trials. */
export function wilsonInterval(count: number, of: number): [number, number] {
  if (of === 0) return [0, 1];
  const share = count / of;
  const centre = share + Z ** 2 / (2 * of);
  const spread = Z * Math.sqrt((share * (1 - share)) / of + Z ** 2 / (4 * of ** 2));
  const scale = 1 + Z ** 2 / of;
  // The ends are exact at 0 and at all; rounding would leave a crumb.
  const low = count === 0 ? 0 : (centre - spread) / scale;
  const high = count === of ? 1 : (centre + spread) / scale;
  return [low, high];
}
