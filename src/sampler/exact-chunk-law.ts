/**
 * The chunk law, P(chunk)^(1/T) / Z, 0 < T < 1: Algorithm 1 on whole chunks. Exact while the draws last; `onLimit`
 * decides what comes then. Cost: see exact-power.ts, with p the law of whole chunks.
 */
import { CandidateDraws } from './candidate-draws.js';
import type { ChunkDecision } from './decision.js';
import { chooseByExactPower } from './exact-power.js';
import type { OnLimit } from './on-limit.js';
import type { Power } from './power.js';
import type { RoundSize } from './round-size.js';
import type { RandomStream } from './uniform.js';

/** Decides with at most `limit` candidates, after which `onLimit` does. */
export function* chunkLawDecision(
  limit: number,
  power: Power,
  onLimit: OnLimit,
  random: RandomStream,
  roundSize: RoundSize,
): ChunkDecision {
  const draws = new CandidateDraws(limit, roundSize);
  let candidate = 0;
  const next = function* () {
    if (!(yield* draws.reach(candidate))) return undefined;
    candidate += 1;
    const depth = draws.chunkSize;
    return draws.node(candidate - 1, depth);
  };
  const spoken = yield* chooseByExactPower(next, power, random);
  const leaf = spoken ?? onLimit(draws.tree, draws.tree.leaves, random);
  return { chunk: draws.tree.chunk(leaf), draws: draws.fetched, fallback: spoken === undefined };
}
