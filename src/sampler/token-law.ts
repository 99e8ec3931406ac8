/**
 * The token law: position by position, P(token | chosen tokens before it)^(1/T) / Z. The candidates that begin with
 * the chosen tokens are draws from the conditional law of the next one, and serve it in their order.
 *
 * Why they may be used again (docs/sampling.md has the proof): a decision about position i reads the first i tokens
 * of candidates only. Given all that was read, the later tokens are still independent, each with its law given its
 * own beginning. Nothing read so far depends on them, so those that begin with the chosen tokens are fresh draws.
 * A decision that looked further ahead, if only to decide when to stop, would spoil this.
 *
 * Cost: at T = 1/2 about 2 / S_2 of the first token, and 2 / S_2 of each conditional law divided by the probability
 * of the tokens before it, less what the earlier positions left over.
 */
import { CandidateDraws, type Drawing } from './candidate-draws.js';
import type { CandidateTree } from './candidate-tree.js';
import type { ChunkDecision } from './decision.js';
import { chooseByExactPower, type Outcomes } from './exact-power.js';
import type { OnLimit } from './on-limit.js';
import type { Power } from './power.js';
import type { RoundSize } from './round-size.js';
import type { RandomStream } from './uniform.js';

/** Decides with at most `limit` candidates, after which `onLimit` decides the position at hand. */
export function* tokenLawDecision(
  limit: number,
  power: Power,
  onLimit: OnLimit,
  random: RandomStream,
  roundSize: RoundSize,
  partialSize?: number,
): ChunkDecision {
  const draws = new CandidateDraws(limit, roundSize, partialSize);
  let prefix = 0;
  let fallback = false;
  yield* draws.reach(0);
  for (let depth = 1; depth <= draws.chunkSize; depth += 1) {
    const spoken = yield* chooseByExactPower(drawsBelow(draws, prefix, depth - 1), power, random);
    fallback ||= spoken === undefined;
    if (spoken === undefined) yield* draws.lookAtAll(prefix, depth);
    prefix = spoken ?? chooseChild(draws.tree, prefix, onLimit, random);
  }
  return { chunk: draws.chunk(prefix), draws: draws.fetched, drawsNeeded: draws.read, fallback };
}

/** One of the nodes below this one, by how many candidates each has. */
export function chooseChild(
  tree: CandidateTree,
  node: number,
  onLimit: OnLimit,
  random: RandomStream,
): number {
  const children = tree.children(node);
  const counts = children.map(child => tree.count(child));
  return children[onLimit(counts, random)]!;
}

/**
 * The candidates below a node, in order, each as its node of `depth`, by default one token further. They end at the
 * limit (or another one), or where all that were fetched are read and `mayDraw` forbids more.
 */
export function drawsBelow(
  draws: CandidateDraws,
  prefix: number,
  prefixDepth: number,
  depth = prefixDepth + 1,
  mayDraw = () => true,
  limit = draws.limit,
): Outcomes {
  let candidate = 0;
  return function* (): Drawing<number | undefined> {
    for (;;) {
      if (candidate >= draws.fetched && !(mayDraw() && (yield* draws.reach(candidate, limit))))
        return undefined;
      candidate += 1;
      if (yield* draws.look(candidate - 1, prefix, depth)) return draws.node(candidate - 1, depth);
    }
  };
}
