/**
 * Which controlled decision serves a request, and whether it needs one. Cost: tries where they have the law
 * (controlled-tries.ts), up to `numCandidates` under `auto` and the exact sampler's limit under `exact`; else a pool of
 * `numCandidates`. Given tokens of probability p make each candidate that counts cost 1/p, up to 4,096 in all.
 */
import { autoDrawLimit } from '../auto-limit.js';
import { type ChunkDecision, type DecisionContext, partialSizeOf } from '../decision.js';
import { limitReached } from '../on-limit.js';
import { exponentOf } from '../power.js';
import {
  DEFAULT_SAMPLER,
  DEFAULT_TEMPERATURE_LAW,
  type SamplingSettings,
  type TokenControls,
} from '../settings.js';
import { RandomStream } from '../uniform.js';
import { type ControlledInput, controlledDecision } from './controlled-decision.js';
import { ControlledTries } from './controlled-tries.js';
import { cutsTail } from './cut-tail.js';
import { nothingAllowed } from './nothing-allowed.js';
import { NO_HISTORY, TokenWeights } from './token-weights.js';

/** Candidates for a chunk whose first tokens are given: most do not begin so. */
export const GIVEN_DRAW_LIMIT = 4096;

/** Whether anything of the controls can change this step's law, or tokens are given. */
export function isControlled(
  { controls }: SamplingSettings,
  { history, given = [] }: DecisionContext,
): boolean {
  if (given.length > 0) return true;
  if (controls === undefined) return false;
  const { generatedTokens, stopTokenIds } = history ?? NO_HISTORY;
  const mayNotStop = generatedTokens.length < (controls.minTokens ?? 0) && stopTokenIds.length > 0;
  return mayNotStop || changesTokens(controls) || cutsTail(controls);
}

function changesTokens(controls: TokenControls): boolean {
  const { logitBias, presencePenalty = 0, frequencyPenalty = 0, repetitionPenalty = 1 } = controls;
  const biases = logitBias !== undefined && [...logitBias.values()].some(bias => bias !== 0);
  return biases || presencePenalty !== 0 || frequencyPenalty !== 0 || repetitionPenalty !== 1;
}

/** As startDecision, for a step that is controlled. */
export function startControlledDecision(
  settings: SamplingSettings,
  step: number,
  exactDrawLimit: number,
  context: DecisionContext,
): ChunkDecision {
  const { history = NO_HISTORY, given = [], outlook } = context;
  const { temperature, numCandidates, seed, choice, controls = {} } = settings;
  const sampler = settings.sampler ?? DEFAULT_SAMPLER;
  const law = settings.temperatureLaw ?? DEFAULT_TEMPERATURE_LAW;
  const weights = new TokenWeights(controls, history);
  // A power of a conditional probability, and a tail of one, are known token by token only.
  const byChunk = law === 'chunk' && !cutsTail(controls) && (controls.repetitionPenalty ?? 1) === 1;
  const hasTries = sampler !== 'pool' && !cutsTail(controls) && canTry(temperature / weights.smallestPower);
  const tries = hasTries ? new ControlledTries(temperature, sampler) : null;
  const isExact = sampler === 'exact' && hasTries;
  const poolSize = hasTries ? autoDrawLimit(numCandidates, temperature, !byChunk) : numCandidates;
  const poolLimit = given.length > 0 ? GIVEN_DRAW_LIMIT : poolSize;
  const softLimit = isExact ? exactDrawLimit : poolLimit;
  const input: ControlledInput = {
    temperature,
    controls,
    weights,
    given,
    byChunk,
    tries: tries && ((weightOf, largestLogFactor) => tries.begin(weightOf, largestLogFactor)),
    softLimit,
    acceptedLimit: isExact ? exactDrawLimit : poolSize,
    hardLimit: given.length > 0 ? GIVEN_DRAW_LIMIT : Math.max(exactDrawLimit, softLimit),
    onSoftLimit: () => {
      if (!isExact) return;
      throw tries?.sawAllowed
        ? limitReached(temperature, exactDrawLimit, byChunk ? 'chunk' : 'token')
        : nothingAllowed(exactDrawLimit, 'controls');
    },
    random: new RandomStream({ seed, choice, step }),
    outlook,
    partialSize: byChunk && given.length === 0 ? undefined : partialSizeOf(context, 'token'),
  };
  return controlledDecision(input);
}

/** Whether agreement of draws can make this temperature: above 0, and not above 1. */
function canTry(temperature: number): boolean {
  return temperature > 0 && exponentOf(temperature) !== null;
}
