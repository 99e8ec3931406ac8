import { expect, test } from 'vitest';
import { driveDecision, drivePartialDecision } from '../../tests/reference/drive-decision.js';
import type { Chunk } from './decision.js';
import type { SamplingSettings } from './settings.js';
import { startDecision } from './start-decision.js';
import { uniformAt } from './uniform.js';

const K = 4;

/** Chunks whose later tokens depend on earlier ones; `spread` says how many tokens a position has. */
function chunkOf(world: number, candidate: number, spread: number): Chunk {
  const tokens: number[] = [];
  for (let position = 0; position < K; position += 1) {
    const uniform = uniformAt({ seed: world, choice: 5, step: candidate, stream: position });
    tokens.push((Math.floor(spread * uniform ** 3) + (tokens.at(-1) ?? 0)) % 50);
  }
  return tokens;
}

const settings = (['chunk', 'token'] as const).flatMap(temperatureLaw =>
  [1, 0.9, 0.7, 0.5, 0.4, 1 / 3, 0].flatMap(temperature =>
    (['auto', 'exact'] as const).map(sampler => ({ temperatureLaw, temperature, sampler })),
  ),
);

test.each(settings)('decoding token by token changes no choice: %o', setting => {
  for (let world = 0; world < 24; world += 1) {
    const spread = [2, 6, 40][world % 3]!;
    // The exact sampler would draw for long where nothing repeats.
    if (setting.sampler === 'exact' && spread > 2) continue;
    const sampling: SamplingSettings = { numCandidates: 60, seed: world, choice: 0, ...setting };
    const draw = (candidate: number) => chunkOf(world, candidate, spread);
    const whole = driveDecision(startDecision(sampling, 0), draw);
    const { decodedTokens, decodedPositions, draws, ...parts } = drivePartialDecision(
      startDecision(sampling, 0, 65_536, { chunkSize: K }),
      draw,
    );
    // Rounds may end elsewhere: how far fetching ran ahead is not what a decision depends on.
    const { chunk, fallback, drawsNeeded } = whole;
    expect(parts).toEqual({ chunk, fallback, drawsNeeded });
    expect(decodedTokens).toBeLessThanOrEqual(K * draws);
    expect([decodedPositions, whole.decodedPositions]).toEqual([decodedTokens, K * whole.draws]);
  }
});

test.each(['chunk', 'token'] as const)(
  'where nothing repeats, little more than first tokens is decoded: %s law',
  law => {
    const sampling: SamplingSettings = {
      temperature: 0.5,
      temperatureLaw: law,
      numCandidates: 200,
      seed: 1,
      choice: 0,
    };
    const draw = (candidate: number) => Array.from({ length: K }, (_, i) => candidate * K + i);
    const { decodedTokens, draws } = drivePartialDecision(
      startDecision(sampling, 0, 65_536, { chunkSize: K }),
      draw,
    );
    expect(draws).toBe(200);
    expect(decodedTokens).toBe(200 + K - 1);
  },
);
