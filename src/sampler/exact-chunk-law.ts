/**
 * The chunk law, P(chunk)^(1/T) / Z, 0 < T < 1: Algorithm 1 on whole chunks. Exact while the draws last; `onLimit`
 * decides what comes then. Cost: see exact-power.ts, with p the law of whole chunks.
 */
import { type ChunkClass, ChunkClasses } from './chunk-classes.js';
import type { ChunkDecision } from './decision.js';
import { chooseByExactPower } from './exact-power.js';
import type { OnLimit } from './on-limit.js';
import type { Power } from './power.js';
import type { RoundSize } from './round-size.js';
import type { RandomStream } from './uniform.js';

/**
 * Decides with at most `limit` candidates, after which `onLimit` does. `partialSize`: tokens a chunk, where candidates are
 * decoded token by token.
 */
export function* chunkLawDecision(
  limit: number,
  power: Power,
  onLimit: OnLimit,
  random: RandomStream,
  roundSize: RoundSize,
  partialSize?: number,
): ChunkDecision {
  const classes = new ChunkClasses(limit, roundSize, partialSize);
  const { draws } = classes;
  let candidate = 0;
  const next = function* () {
    if (candidate >= draws.fetched) {
      if (!(yield* draws.reach(candidate))) return undefined;
      // The last round: where no two agree, the pool will choose evenly with the next number.
      const isLast = draws.fetched === limit && power.coin === undefined;
      yield* classes.tellApart(2, isLast ? Math.floor(random.peek() * limit) : undefined);
    }
    candidate += 1;
    return candidate - 1;
  };
  const same = (first: number, second: number) => classes.areSame(first, second);
  const spoken = yield* chooseByExactPower(next, power, random, same);
  const chosen = spoken ?? chooseClass(classes.all(), onLimit, random);
  const chunk = yield* classes.chunkOf(chosen);
  return { chunk, draws: draws.fetched, drawsNeeded: candidate, fallback: spoken === undefined };
}

function chooseClass(classes: readonly ChunkClass[], onLimit: OnLimit, random: RandomStream): number {
  return classes[
    onLimit(
      classes.map(({ count }) => count),
      random,
    )
  ]!.first;
}
