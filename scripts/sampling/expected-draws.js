/**
 * How many draws the laws need after some contexts, at most N: from pools of plain draws, without the engine. By formula
 * for the chunk law, from the collisions of each pool; for both laws by decisions on fresh draws, read one at a time.
 */
import { exponentOf, powerOf } from '../../dist/sampler/power.js';
import { startDecision } from '../../dist/sampler/start-decision.js';
import { mean, sum } from './open-model.js';
import { countChunks } from './pools.js';
import { decide } from './simulate.js';
import { renewal, tryLengths } from './tries.js';

/**
 * Probability that of `same + other` draws the first `same` are one outcome and the others are not it, summed over outcomes:
 * an estimate without bias from an outcome's counts among `total` draws.
 */
function patternShare(counts, total, same, other) {
  return sum(
    counts.map(count => {
      let share = 1;
      for (let i = 0; i < same; i += 1) share *= (count - i) / (total - i);
      for (let i = 0; i < other; i += 1) share *= (total - count - i) / (total - same - i);
      return Math.max(0, share);
    }),
  );
}

/**
 * E min(D, N) under the chunk law, D being the draws of `auto`: tries follow one another, each ends after so many draws with
 * a chunk or without. With no limit it is the formula of docs/sampling.md.
 */
export function expectedChunkLawDraws(chunks, temperature, limit) {
  const power = powerOf(exponentOf(temperature), 'auto');
  const counts = [...countChunks(chunks).values()];
  const share = (same, other) => patternShare(counts, chunks.length, same, other);
  return renewal(tryLengths(power, limit, share), limit).draws;
}

/** The same for either law, from decisions on draws that none of them shares: `limit` draws each. */
function simulatedDraws(chunks, sampling, limit, firstSeed) {
  const decisions = Math.floor(chunks.length / limit);
  return mean(
    Array.from({ length: decisions }, (_, decision) => {
      let next = decision * limit;
      const settings = { ...sampling, numCandidates: limit, seed: firstSeed + decision, choice: 0 };
      return decide(startDecision(settings, 0), () => chunks[next++]).drawsNeeded;
    }),
  );
}

/**
 * Sums over the decisions of a text: { formula, simulated }. `formula` is null under the token law, which has none.
 */
export async function expectedDrawsOfText(
  source,
  { seed, opening, tokens, chunks },
  sampling,
  { limit, pools },
) {
  const { temperature, temperatureLaw } = sampling;
  const promptChunks = await source.read(opening);
  // The last chunk decides nothing any more, and may be cut: the text would stand at another alignment with it.
  const chunkSize = source.chunkSize;
  await source.read([...opening, ...tokens.slice(0, (chunks - 1) * chunkSize)]);
  const totals = { formula: temperatureLaw === 'chunk' ? 0 : null, simulated: 0 };
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    const pool = await source.draw(pools * limit, promptChunks - 1 + chunk);
    if (totals.formula !== null) totals.formula += expectedChunkLawDraws(pool, temperature, limit);
    totals.simulated += simulatedDraws(pool, sampling, limit, (seed * chunks + chunk) * pools);
  }
  return totals;
}
