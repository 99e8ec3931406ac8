/**
 * T = 1/n by a pool of N candidates: the law of the paper's Algorithm 2 (CALM, arXiv 2510.27688, section 4.2), with
 * its cascade, but drawing only the candidates that can change the outcome.
 *
 * Law. Algorithm 2 weights a chunk by C(count, n): the number of n-subsets of the pool's N places that hold nothing
 * but this chunk. So its choice is a uniform choice among the uniform-valued ("agreeing") n-subsets, which is also
 * the first agreeing one in a uniformly random order of all subsets. The order needs no candidates; a place is drawn
 * when a subset first touches it. Where no n-subset can agree any more, m = n - 1 takes over, and so on: at m = 1
 * the choice is one place at random. The result has the law of the full pool for every N and n.
 *
 * Method. A subset is dead once two of its drawn places differ, so the next subset in the order is uniform among
 * those alive: chosen by the number j of its drawn places and their chunk x, of which there are
 * C(count_x, j) C(left, m - j), and C(left, m) that touch no drawn place. Its undrawn places are drawn one by one
 * until one differs, and the subset is dead, or all agree, and it is the answer. Candidates are exchangeable, so
 * whichever place is touched gets the next candidate.
 *
 * Cost: about n / sum P^n candidates where that is well below N, never more than N; the last round may draw some
 * that are not needed. A choice is a fallback where m < n.
 */
import { binomialRatio } from './binomial.js';
import { ChunkClasses } from './chunk-classes.js';
import type { ChunkDecision } from './decision.js';
import { LeavesByCount } from './leaves-by-count.js';
import { growingRounds, type RoundSize } from './round-size.js';
import type { RandomStream } from './uniform.js';
import { weightedChoice } from './weighted-choice.js';

/**
 * Decides by a pool of `poolSize` (N >= 1) candidates at T = 1/n. `random` serves this decision alone. `partialSize`:
 * tokens a chunk, where candidates are decoded token by token.
 */
export function* lazyPoolDecision(
  poolSize: number,
  n: number,
  random: RandomStream,
  roundSize: RoundSize = growingRounds(),
  partialSize?: number,
): ChunkDecision {
  const classes = new ChunkClasses(poolSize, roundSize, partialSize);
  const { draws } = classes;
  const groups = new LeavesByCount();
  /** The class of each fetched candidate, and how many read ones each class has. */
  let names: readonly number[] = [];
  const counts = new Map<number, number>();
  let read = 0;
  let chosen = -1;
  let m = n;

  while (chosen === -1) {
    const left = poolSize - read;
    m = Math.min(m, groups.largest + left);
    let { leaf, undrawn } = randomLiveSubset(groups, left, m, random);
    while (undrawn > 0) {
      if (read === draws.fetched) {
        yield* draws.reach(read);
        yield* classes.tellApart();
        names = classes.namesOfCandidates();
      }
      const drawn = names[read]!;
      read += 1;
      counts.set(drawn, (counts.get(drawn) ?? 0) + 1);
      groups.raise(drawn, counts.get(drawn)!);
      if (leaf !== undefined && drawn !== leaf) break;
      leaf = drawn;
      undrawn -= 1;
    }
    if (undrawn === 0) chosen = leaf!;
  }
  const chunk = yield* classes.chunkOf(chosen);
  return { chunk, draws: draws.fetched, drawsNeeded: read, fallback: m < n };
}

/** An m-subset of the places: the leaf that its drawn places hold, if it has any, and how many are undrawn. */
interface Subset {
  readonly leaf: number | undefined;
  readonly undrawn: number;
}

/** Uniform among the m-subsets whose drawn places agree; `left` places are undrawn. There must be one. */
function randomLiveSubset(groups: LeavesByCount, left: number, m: number, random: RandomStream): Subset {
  // Those with drawn places of a chunk drawn c times number C(c + left, m) - C(left, m); all over the largest term.
  const largest = groups.largest + left;
  const untouched = binomialRatio(left, largest, m);
  const weights = [untouched];
  for (let count = 1; count <= groups.largest; count += 1) {
    const leafCount = groups.group(count).length;
    weights.push(leafCount === 0 ? 0 : leafCount * (binomialRatio(count + left, largest, m) - untouched));
  }
  const count = weightedChoice(weights, random.next());
  if (count === 0) return { leaf: undefined, undrawn: m };
  const group = groups.group(count);
  const leaf = group[Math.floor(random.next() * group.length)]!;
  return { leaf, undrawn: m - drawnPlaces(count, left, m, random) };
}

/**
 * The number j >= 1 of drawn places in a random m-subset that touches some of a chunk's `count` drawn places and,
 * of the `left` undrawn ones, any: chosen with weight C(count, j) C(left, m - j).
 */
export function drawnPlaces(count: number, left: number, m: number, random: RandomStream): number {
  const smallest = Math.max(1, m - left);
  const largest = Math.min(count, m);
  const logWeights = [0];
  for (let j = smallest; j < largest; j += 1) {
    const ratio = ((count - j) * (m - j)) / ((j + 1) * (left - m + j + 1));
    logWeights.push(logWeights.at(-1)! + Math.log(ratio));
  }
  const peak = logWeights.reduce((a, b) => Math.max(a, b));
  const weights = logWeights.map(logWeight => Math.exp(logWeight - peak));
  return smallest + weightedChoice(weights, random.next());
}
