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
  partialSize?: number,
): ChunkDecision {
  const draws = new CandidateDraws(limit, roundSize, partialSize);
  let candidate = 0;
  const next = function* () {
    if (candidate >= draws.fetched) {
      if (!(yield* draws.reach(candidate))) return undefined;
      yield* draws.lookAtRepeated();
    }
    candidate += 1;
    return candidate - 1;
  };
  const same = (first: number, second: number) => draws.isSame(first, second);
  const spoken = yield* chooseByExactPower(next, power, random, same);
  const node = spoken === undefined ? onLimit(draws.tree, draws.outcomes(), random) : draws.deepest(spoken);
  const chunk = yield* draws.complete(node);
  return { chunk, draws: draws.fetched, drawsNeeded: candidate, fallback: spoken === undefined };
}
