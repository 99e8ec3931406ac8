/**
 * T = 0. Law: what appears most often among N candidates; among equals, the one seen first. Under the chunk law that is
 * a chunk, under the token law a token for each position, among the candidates that begin with those before it. As N
 * grows that is the likeliest outcome; at N it is the paper's pool of N (CALM, arXiv 2510.27688, Algorithm 2) in the limit of
 * T = 0, where only the largest count has a weight.
 *
 * Stops as soon as no other can overtake the leader with the candidates that are left (exact: the answer is that of
 * the whole pool). Cost: N/2 candidates where all agree, N where the two best stay close.
 *
 * With an allowed error it also stops where the leader is certain enough to be the likeliest (lead-evidence.ts), each
 * position of K with an equal part of the error: what was read before has seen nothing of the later tokens, so the
 * candidates below the chosen ones are a fresh sequence, and the errors add up to the whole one at most.
 */
import type { Drawing } from './candidate-draws.js';
import { CandidateTree } from './candidate-tree.js';
import type { ChunkDecision } from './decision.js';
import { isCertain } from './lead-evidence.js';
import { growingRounds } from './round-size.js';
import type { TemperatureLaw } from './settings.js';

/** A native call has a fixed cost; a round of fewer candidates than this saves less than the call costs. */
const SMALLEST_ROUND = 8;

/**
 * Draws up to `candidateCount` candidates (N >= 1), `smallestRound` or more at a time, and decides. `allowedError` is
 * the probability with which it may stop early at what is not the likeliest; 0 never stops for that.
 */
export function* pluralityDecision(
  candidateCount: number,
  law: TemperatureLaw = 'chunk',
  smallestRound = SMALLEST_ROUND,
  allowedError = 0,
): ChunkDecision {
  const tree = new CandidateTree();
  const settings = { law, candidateCount, smallestRound, allowedError };
  const leaderOf = (nodes: () => readonly number[]) => leader(tree, nodes, settings);
  let node = 0;
  if (law === 'chunk') node = yield* leaderOf(() => tree.leaves);
  else {
    do node = yield* leaderOf(() => tree.children(node));
    while (tree.children(node).length > 0);
  }
  return { chunk: tree.chunk(node), draws: tree.size, fallback: false };
}

interface PluralitySettings {
  readonly law: TemperatureLaw;
  readonly candidateCount: number;
  readonly smallestRound: number;
  readonly allowedError: number;
}

/** The node that leads among `nodes` once all N candidates are drawn; draws no more of them than it needs to know. */
function* leader(
  tree: CandidateTree,
  nodes: () => readonly number[],
  { law, candidateCount, smallestRound, allowedError }: PluralitySettings,
): Drawing<number> {
  for (;;) {
    const left = candidateCount - tree.size;
    const { leader, missing } = standing(tree, nodes(), left);
    if (missing === 0) return leader;
    if (allowedError > 0 && leader >= 0) {
      const decisions = law === 'chunk' ? 1 : tree.path(tree.leaves[0]!).length;
      if (leads(tree, nodes(), leader, allowedError / decisions)) return leader;
    }
    const counts = () => tree.leaves.map(node => tree.count(node));
    const wanted = allowedError > 0 ? Math.min(missing, growingRounds()(tree.size, counts, left)) : missing;
    for (const chunk of yield Math.min(Math.max(wanted, smallestRound), left)) tree.add(chunk);
  }
}

/** Whether the leader is the likeliest of all, seen or not, but for an error that is allowed. */
function leads(tree: CandidateTree, nodes: readonly number[], leader: number, allowedError: number): boolean {
  const behind = nodes.reduce((most, node) => (node === leader ? most : Math.max(most, tree.count(node))), 0);
  return isCertain({ ahead: tree.count(leader), behind, rank: nodes.indexOf(leader) + 1 }, allowedError);
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
