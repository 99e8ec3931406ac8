/** `auto` where most decisions run out of candidates: how far its law may be from the one that it aims at. */
import { describe, expect, test } from 'vitest';
import { tally } from '../../tests/reference/chi-square.js';
import { driveDecision } from '../../tests/reference/drive-decision.js';
import {
  chunkLaw,
  chunksOf,
  type JointLaw,
  shortCoinChunkLaw,
  shortCoinTokenLaw,
  tokenLaw,
  totalVariation,
} from '../../tests/reference/power-laws.js';
import { startDecision } from './start-decision.js';

const TRIALS = 10_000;

/** Twelve first tokens, unevenly likely, each followed by its own three: 36 chunks, none of them above 0.17. */
const SCATTERED: JointLaw = (() => {
  const weights = new Map<string, number>();
  for (let first = 0; first < 12; first += 1) {
    for (const [i, share] of [0.6, 0.3, 0.1].entries()) {
      weights.set(`${first},${3 * first + i}`, share / (first + 1));
    }
  }
  const total = [...weights.values()].reduce((a, b) => a + b);
  return new Map([...weights].map(([key, weight]) => [key, weight / total]));
})();

/**
 * The empirical distance of a right sample of 36 outcomes is sqrt(36 / trials) / 2 = 0.03 on average at most, and by
 * McDiarmid above that by 0.022 with probability exp(-2 trials 0.022^2) < 1e-4.
 */
const NOISE = 0.03 + 0.022;

const EXACT_LAWS = { chunk: chunkLaw, token: tokenLaw };
/** Between T = 1/2 and 1. */
const OWN_LAWS = { chunk: shortCoinChunkLaw, token: shortCoinTokenLaw };

function run(temperature: number, temperatureLaw: 'chunk' | 'token', numCandidates: number) {
  const draw = chunksOf(SCATTERED, 77);
  let fallbacks = 0;
  const counts = tally(TRIALS, seed => {
    const settings = {
      temperature,
      temperatureLaw,
      numCandidates,
      sampler: 'auto',
      seed,
      choice: 0,
    } as const;
    const { chunk, fallback } = driveDecision(startDecision(settings, 0), draw);
    if (fallback) fallbacks += 1;
    return chunk.join();
  });
  const laws = temperature > 0.5 ? OWN_LAWS : EXACT_LAWS;
  const measured = new Map([...counts].map(([key, count]) => [key, count / TRIALS] as const));
  return {
    distance: totalVariation(measured, laws[temperatureLaw](SCATTERED, temperature)),
    share: fallbacks / TRIALS,
  };
}

describe.each([
  { temperature: 0.5, temperatureLaw: 'chunk', numCandidates: 12 },
  { temperature: 1 / 3, temperatureLaw: 'chunk', numCandidates: 24 },
  { temperature: 0.5, temperatureLaw: 'token', numCandidates: 8 },
  { temperature: 1 / 3, temperatureLaw: 'token', numCandidates: 16 },
  { temperature: 0.7, temperatureLaw: 'chunk', numCandidates: 6 },
  { temperature: 0.9, temperatureLaw: 'chunk', numCandidates: 2 },
  { temperature: 0.7, temperatureLaw: 'token', numCandidates: 12 },
  { temperature: 0.9, temperatureLaw: 'token', numCandidates: 2 },
] as const)('T = $temperature, $temperatureLaw law, $numCandidates candidates', settings => {
  const { temperature, temperatureLaw, numCandidates } = settings;

  test('the distance is at most the share of fallbacks that it tells', () => {
    const { distance, share } = run(temperature, temperatureLaw, numCandidates);
    expect(share).toBeGreaterThan(0.4);
    expect(distance).toBeLessThan(share + NOISE);
    // Seen to fail: the same choices without a word, as a pool of fixed size makes them.
    expect(distance).toBeGreaterThan(NOISE);
  });
});
