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
import { CandidateTree } from './candidate-tree.js';
import type { Chunk, ChunkDecision } from './decision.js';
import { LeavesByCount } from './leaves-by-count.js';
import { growingRounds, type RoundSize } from './round-size.js';
import type { RandomStream } from './uniform.js';
import { weightedChoice } from './weighted-choice.js';

/** Decides by a pool of `poolSize` (N >= 1) candidates at T = 1/n. `random` serves this decision alone. */
export function* lazyPoolDecision(
  poolSize: number,
  n: number,
  random: RandomStream,
  roundSize: RoundSize = growingRounds(),
): ChunkDecision {
  const tree = new CandidateTree();
  const groups = new LeavesByCount();
  const fetched: Chunk[] = [];
  let chosen = -1;
  let m = n;

  while (chosen === -1) {
    const left = poolSize - tree.size;
    m = Math.min(m, groups.largest + left);
    let { leaf, undrawn } = randomLiveSubset(groups, left, m, random);
    while (undrawn > 0) {
      if (tree.size === fetched.length) {
        const counts = () => tree.leaves.map(node => tree.count(node));
        const left = poolSize - fetched.length;
        fetched.push(...(yield Math.min(roundSize(fetched.length, counts, left), left)));
      }
      const drawn = tree.add(fetched[tree.size]!);
      groups.raise(drawn, tree.count(drawn));
      if (leaf !== undefined && drawn !== leaf) break;
      leaf = drawn;
      undrawn -= 1;
    }
    if (undrawn === 0) chosen = leaf!;
  }
  return { chunk: tree.chunk(chosen), draws: fetched.length, drawsNeeded: tree.size, fallback: m < n };
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
