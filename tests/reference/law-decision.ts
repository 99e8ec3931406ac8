/** What tests of the exact laws' decisions start from, and what decisions at their limit add up to. */
import type { Chunk, ChunkDecision } from '../../src/sampler/decision.js';
import { exponentOf, mendoCoin, type Power } from '../../src/sampler/power.js';
import { RandomStream } from '../../src/sampler/uniform.js';
import { tally } from './chi-square.js';
import { driveDecision } from './drive-decision.js';

/** Chance that a right sampler fails a test of a law; seeds are fixed, so it fails always or never. */
export const FALSE_ALARM = 1e-4;

/** The power 1/T, with Mendo's coin for its fraction: that of `exact` at any T, and of `auto` below 1/2. */
export function powerOf(temperature: number): Power {
  const { repeats, fraction } = exponentOf(temperature)!;
  return fraction === 0 ? { repeats } : { repeats, coin: mendoCoin(fraction) };
}

export function randomOf(trial: number): RandomStream {
  return new RandomStream({ seed: trial, choice: 0, step: 0 });
}

/** Shares of the chunks that decisions choose, one for each trial, and the share of their fallbacks. */
export function sharesOf(
  trials: number,
  draw: (candidate: number) => Chunk,
  decide: (trial: number) => ChunkDecision,
): { readonly shares: ReadonlyMap<string, number>; readonly fallbackShare: number } {
  let fallbacks = 0;
  const counts = tally(trials, trial => {
    const { chunk, fallback } = driveDecision(decide(trial), draw);
    if (fallback) fallbacks += 1;
    return chunk.join();
  });
  const shares = new Map([...counts].map(([key, count]) => [key, count / trials] as const));
  return { shares, fallbackShare: fallbacks / trials };
}

/** Ways to group draws into rounds, none of which may change a choice. */
export const ROUND_SIZES = [() => 1, () => 7, () => 1000, (drawn: number) => 1 + (drawn % 5)];
