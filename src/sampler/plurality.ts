/**
 * T = 0: what appears most often among N candidates; among equals, the one seen first. Under the chunk law that is
 * a chunk, under the token law a token for each position, among the candidates that begin with those before it.
 *
 * Stops as soon as no other can overtake the leader with the candidates that are left (exact: the answer is that of
 * the whole pool). Cost: N/2 candidates where all agree, N where the two best stay close.
 */
import type { Drawing } from './candidate-draws.js';
import { CandidateTree } from './candidate-tree.js';
import type { ChunkDecision } from './decision.js';
import type { TemperatureLaw } from './settings.js';

/** A native call has a fixed cost; a round of fewer candidates than this saves less than the call costs. */
const SMALLEST_ROUND = 8;

/** Draws up to `candidateCount` candidates (N >= 1), `smallestRound` or more at a time, and decides. */
export function* pluralityDecision(
  candidateCount: number,
  law: TemperatureLaw = 'chunk',
  smallestRound = SMALLEST_ROUND,
): ChunkDecision {
  const tree = new CandidateTree();
  const leaderOf = (nodes: () => readonly number[]) => leader(tree, nodes, candidateCount, smallestRound);
  let node = 0;
  if (law === 'chunk') node = yield* leaderOf(() => tree.leaves);
  else {
    do node = yield* leaderOf(() => tree.children(node));
    while (tree.children(node).length > 0);
  }
  return { chunk: tree.chunk(node), draws: tree.size, fallback: false };
}

/** The node that leads among `nodes` once all N candidates are drawn; draws no more of them than it needs to know. */
function* leader(
  tree: CandidateTree,
  nodes: () => readonly number[],
  candidateCount: number,
  smallestRound: number,
): Drawing<number> {
  for (;;) {
    const { leader, missing } = standing(tree, nodes(), candidateCount - tree.size);
    if (missing === 0) return leader;
    const round = Math.min(Math.max(missing, smallestRound), candidateCount - tree.size);
    for (const chunk of yield round) tree.add(chunk);
  }
}

/**
 * The leading node and the least number of further candidates after which the lead can be beyond reach: 0 where it
 * is so already. With `left` candidates to come, a challenger needs lead + 1 of them if the leader was seen first.
 */
function standing(
  tree: CandidateTree,
  nodes: readonly number[],
  left: number,
): { leader: number; missing: number } {
  let leader = -1;
  let best = 0;
  for (const node of nodes) {
    const count = tree.count(node);
    if (count > best) {
      leader = node;
      best = count;
    }
  }
  let second = 0;
  let leaderSeen = false;
  for (const node of nodes) {
    if (node === leader) {
      leaderSeen = true;
      continue;
    }
    // One seen before the leader wins a tie, which is as good as half a candidate more.
    const strength = tree.count(node) + (leaderSeen ? 0 : 0.5);
    second = Math.max(second, strength);
  }
  // Decided once second + left <= best with ties for the leader; every candidate moves this by two at most.
  const missing = Math.max(0, Math.ceil((left - (best - second)) / 2));
  return { leader, missing };
}
