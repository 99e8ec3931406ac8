/**
 * T = 0: the chunk that appears most often among N candidates; among equals, the one seen first.
 *
 * Stops as soon as no other chunk can overtake the leader with the candidates that are left (exact: the answer is
 * that of the whole pool). Cost: N/2 candidates where all agree, N where the two best stay close.
 */
import { CandidateTree } from './candidate-tree.js';
import type { ChunkDecision } from './decision.js';

/** A native call has a fixed cost; a round of fewer candidates than this saves less than the call costs. */
const SMALLEST_ROUND = 8;

/** Draws up to `candidateCount` candidates (N >= 1), `smallestRound` or more at a time, and decides. */
export function* pluralityDecision(candidateCount: number, smallestRound = SMALLEST_ROUND): ChunkDecision {
  const tree = new CandidateTree();
  for (;;) {
    const { leader, missing } = standing(tree, candidateCount - tree.size);
    if (missing === 0) return { chunk: tree.chunk(leader), draws: tree.size, fallback: false };
    const round = Math.min(Math.max(missing, smallestRound), candidateCount - tree.size);
    for (const chunk of yield round) tree.add(chunk);
  }
}

/**
 * The leading leaf and the least number of further candidates after which the lead can be beyond reach: 0 where it
 * is so already. With `left` candidates to come, a challenger needs lead + 1 of them if the leader was seen first.
 */
function standing(tree: CandidateTree, left: number): { leader: number; missing: number } {
  const { leaves } = tree;
  let leader = -1;
  let best = 0;
  for (const leaf of leaves) {
    const count = tree.count(leaf);
    if (count > best) {
      leader = leaf;
      best = count;
    }
  }
  let second = 0;
  let leaderSeen = false;
  for (const leaf of leaves) {
    if (leaf === leader) {
      leaderSeen = true;
      continue;
    }
    // A chunk seen before the leader wins a tie, which is as good as half a candidate more.
    const strength = tree.count(leaf) + (leaderSeen ? 0 : 0.5);
    second = Math.max(second, strength);
  }
  // Decided once second + left <= best with ties for the leader; every candidate moves this by two at most.
  const missing = Math.max(0, Math.ceil((left - (best - second)) / 2));
  return { leader, missing };
}
