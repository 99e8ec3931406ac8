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
  [1.5, 1, 0.9, 0.7, 0.5, 0.4, 1 / 3, 0].flatMap(temperature =>
    (['auto', 'exact', 'pool'] as const).map(sampler => ({ temperatureLaw, temperature, sampler })),
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
    // At T = 0 it counts what can still win, which depends on where rounds end.
    expect(parts).toEqual({
      chunk,
      fallback,
      drawsNeeded: setting.temperature === 0 ? parts.drawsNeeded : drawsNeeded,
    });
    expect(decodedTokens).toBeLessThanOrEqual(K * draws);
    expect([decodedPositions, whole.decodedPositions]).toEqual([decodedTokens, K * whole.draws]);
  }
});

/** Draws and decoded tokens of decisions about the same worlds. */
function costOf(setting: Partial<SamplingSettings>, draw: (world: number) => (candidate: number) => Chunk) {
  const cost = { draws: 0, decodedTokens: 0 };
  for (let world = 0; world < 20; world += 1) {
    const sampling = { temperature: 0.5, numCandidates: 200, seed: world, choice: 0, ...setting };
    const decision = startDecision(sampling, 0, 65_536, { chunkSize: K });
    const { draws, decodedTokens } = drivePartialDecision(decision, draw(world));
    cost.draws += draws;
    cost.decodedTokens += decodedTokens;
  }
  return cost;
}

const ALGORITHMS: Partial<SamplingSettings>[] = [
  { temperature: 0.5 },
  { temperature: 0.5, sampler: 'pool' },
  { temperature: 0.4, sampler: 'pool' },
  { temperature: 0 },
  { temperature: 1.5 },
];

test.each(
  ALGORITHMS.flatMap(setting => [
    { temperatureLaw: 'chunk' as const, ...setting },
    { temperatureLaw: 'token' as const, ...setting },
  ]),
)('where nothing repeats, little more than one token of each is decoded: %o', setting => {
  const draw = () => (candidate: number) => Array.from({ length: K }, (_, i) => candidate * K + i);
  const { draws, decodedTokens } = costOf(setting, draw);
  expect([draws, decodedTokens]).toEqual([20 * 200, 20 * (200 + K - 1)]);
});

test.each([
  // Of chunks whose tokens mostly have company, those that can win need to be told apart.
  { temperature: 0, temperatureLaw: 'chunk', most: 0.6 },
  { temperature: 0, temperatureLaw: 'token', most: 0.4 },
  { temperature: 1.5, temperatureLaw: 'chunk', most: 0.6 },
  { temperature: 1.5, temperatureLaw: 'token', most: 0.4 },
  { temperature: 0.5, temperatureLaw: 'chunk', sampler: 'pool', most: 0.6 },
  { temperature: 0.5, temperatureLaw: 'token', sampler: 'pool', most: 0.4 },
] as const)('where some repeat, a part of the tokens is decoded: %o', ({ most, ...setting }) => {
  const { draws, decodedTokens } = costOf(setting, world => candidate => chunkOf(world, candidate, 40));
  expect(decodedTokens).toBeLessThan(most * K * draws);
});
