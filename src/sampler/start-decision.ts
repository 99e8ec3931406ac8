/** Which algorithm decides at which settings. docs/sampling.md has the table. */
import { autoDrawLimit } from './auto-limit.js';
import { withStatistics } from './chunk-statistics.js';
import { isControlled, startControlledDecision } from './controlled/start-controlled.js';
import { type ChunkDecision, type DecisionContext, partialSizeOf } from './decision.js';
import { withDecodedPositions } from './decoded-positions.js';
import { chunkLawDecision } from './exact-chunk-law.js';
import { lazyPoolDecision } from './lazy-pool.js';
import { chooseByCounts, failAtLimit } from './on-limit.js';
import { pluralityDecision } from './plurality.js';
import { poolDecision } from './pool.js';
import { exponentOf, powerOf } from './power.js';
import { growingRounds, roundsByAgreement } from './round-size.js';
import { DEFAULT_SAMPLER, DEFAULT_TEMPERATURE_LAW, type SamplingSettings } from './settings.js';
import { singleDraw } from './single-draw.js';
import { tokenLawDecision } from './token-law.js';
import { RandomStream } from './uniform.js';

/** Where nothing else is said: most candidates that the exact sampler draws for one chunk before it gives up. */
export const DEFAULT_EXACT_DRAW_LIMIT = 65_536;

/**
 * Begins the decision of one step of a request. `step` is the number of chunks generated before it; with the
 * seed and the choice it keys every random number, so the same call makes the same decision.
 *
 * Between T = 1/2 and 1 `auto` throws the short coin (power.ts), and under the token law takes half of the candidates
 * at most (auto-limit.ts).
 *
 * A decision of the exact sampler throws `sampler_limit` once it has drawn `exactDrawLimit` candidates.
 */
export function startDecision(
  settings: SamplingSettings,
  step: number,
  exactDrawLimit = DEFAULT_EXACT_DRAW_LIMIT,
  context: DecisionContext = {},
): ChunkDecision {
  const decision = withDecodedPositions(
    isControlled(settings, context)
      ? startControlledDecision(settings, step, exactDrawLimit, context)
      : chooseDecision(settings, step, exactDrawLimit, context),
  );
  return settings.chunkStatistics ? withStatistics(decision, settings.numCandidates) : decision;
}

function chooseDecision(
  settings: SamplingSettings,
  step: number,
  exactDrawLimit: number,
  context: DecisionContext,
): ChunkDecision {
  const { outlook } = context;
  const { temperature, numCandidates, seed, choice } = settings;
  const sampler = settings.sampler ?? DEFAULT_SAMPLER;
  const law = settings.temperatureLaw ?? DEFAULT_TEMPERATURE_LAW;
  const partialSize = partialSizeOf(context, law);
  if (temperature === 0) {
    const { greedyError } = settings;
    return pluralityDecision(numCandidates, law, undefined, greedyError, { outlook, partialSize });
  }
  const random = new RandomStream({ seed, choice, step });
  const exponent = exponentOf(temperature);
  if (exponent === null) return poolDecision(numCandidates, temperature, law, random, partialSize);
  const { repeats, fraction } = exponent;
  if (repeats === 1 && fraction === 0) return singleDraw();
  if (sampler === 'pool') {
    return law === 'chunk' && fraction === 0
      ? lazyPoolDecision(numCandidates, repeats, random, growingRounds(outlook), partialSize)
      : poolDecision(numCandidates, temperature, law, random, partialSize);
  }
  const decide = law === 'chunk' ? chunkLawDecision : tokenLawDecision;
  const power = powerOf(exponent, sampler);
  const rounds = repeats > 2 && fraction === 0 ? roundsByAgreement(repeats, outlook) : growingRounds(outlook);
  if (sampler === 'exact') {
    const onLimit = failAtLimit(temperature, exactDrawLimit, law);
    return decide(exactDrawLimit, power, onLimit, random, rounds, partialSize);
  }
  const limit = autoDrawLimit(numCandidates, temperature, law === 'token');
  return decide(limit, power, chooseByCounts(temperature), random, rounds, partialSize);
}
