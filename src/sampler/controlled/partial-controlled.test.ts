/** Controlled decisions of a model that decodes candidates token by token: the same choices, fewer decoded tokens. */
import { describe, expect, test } from 'vitest';
import { driveDecision, drivePartialDecision } from '../../../tests/reference/drive-decision.js';
import type { Chunk } from '../decision.js';
import type { SamplingSettings, TokenControls } from '../settings.js';
import { startDecision } from '../start-decision.js';
import { uniformAt } from '../uniform.js';

const K = 4;
const WORLDS = 6;
const STOP = 3;

/** Chunks whose later tokens depend on earlier ones. */
function chunkOf(world: number, candidate: number): Chunk {
  const tokens: number[] = [];
  for (let position = 0; position < K; position += 1) {
    const uniform = uniformAt({ seed: world, choice: 6, step: candidate, stream: position });
    tokens.push((Math.floor(12 * uniform ** 2) + (tokens.at(-1) ?? 0)) % 20);
  }
  return tokens;
}

const history = { promptTokens: [1, 2], generatedTokens: [5, 1, 1], stopTokenIds: [STOP] };

const CONTROLS: readonly TokenControls[] = [
  { topP: 0.8 },
  { topK: 3 },
  { minP: 0.2 },
  { repetitionPenalty: 1.3 },
  { topP: 0.9, frequencyPenalty: 0.5, presencePenalty: 0.2 },
  { frequencyPenalty: 0.4, presencePenalty: -0.3 },
  { logitBias: new Map([[1, -100]]), minTokens: 9 },
  { logitBias: new Map([[2, 1.5]]) },
];

const cases = CONTROLS.flatMap(controls =>
  [0, 0.5, 0.7, 1, 1.4].flatMap(temperature =>
    (['auto', 'pool'] as const).map(sampler => ({ controls, temperature, sampler })),
  ),
);

/** The same decision on whole candidates and on tokens, of a request that knows nothing and of one that knows its cost. */
function bothWays(setting: Partial<SamplingSettings>, given: readonly number[] = []) {
  const cost = { draws: 0, decodedTokens: 0 };
  for (let world = 0; world < WORLDS; world += 1) {
    const sampling = { temperature: 0.5, numCandidates: 60, seed: world, choice: 0, ...setting };
    const draw = (candidate: number) => chunkOf(world, candidate);
    const whole = driveDecision(startDecision(sampling, 0, 65_536, { history, given }), draw);
    for (const outlook of [undefined, { sharers: 1, expectedDraws: 35 }, { sharers: 9, expectedDraws: 59 }]) {
      const decision = startDecision(sampling, 0, 65_536, {
        history,
        given,
        chunkSize: K,
        ...(outlook && { outlook }),
      });
      const { chunk, fallback, drawsNeeded, draws, decodedTokens } = drivePartialDecision(decision, draw);
      const { chunk: wholeChunk, fallback: wholeFallback, drawsNeeded: wholeNeeded } = whole;
      expect({ chunk, fallback, drawsNeeded }).toEqual({
        chunk: wholeChunk,
        fallback: wholeFallback,
        drawsNeeded: wholeNeeded,
      });
      cost.draws += draws;
      cost.decodedTokens += decodedTokens;
    }
  }
  return cost;
}

describe.each(['token', 'chunk'] as const)('under controls and the %s law', temperatureLaw => {
  test.each(cases)('no choice changes: %o', ({ controls, temperature, sampler }) => {
    const { draws, decodedTokens } = bothWays({ controls, temperature, sampler, temperatureLaw });
    // Whole chunks of their own weights must be known whole.
    const isByPosition = temperatureLaw === 'token' || controls.repetitionPenalty || cutsTail(controls);
    if (isByPosition) expect(decodedTokens).toBeLessThan(0.75 * K * draws);
    else expect(decodedTokens).toBe(K * draws);
  });
});

function cutsTail({ topP, topK, minP }: TokenControls): boolean {
  return topP !== undefined || topK !== undefined || minP !== undefined;
}

test.each(
  (['token', 'chunk'] as const).flatMap(temperatureLaw =>
    ([0, 0.5, 1.4] as const).flatMap(temperature =>
      (['auto', 'pool'] as const).map(sampler => ({ temperatureLaw, temperature, sampler })),
    ),
  ),
)('no choice changes below given tokens: %o', setting => {
  for (const given of [[4], [0, 1], [2, 2, 2]]) {
    const { draws, decodedTokens } = bothWays(setting, given);
    // What begins otherwise costs a token.
    expect(decodedTokens).toBeLessThan(0.5 * K * draws);
  }
});
