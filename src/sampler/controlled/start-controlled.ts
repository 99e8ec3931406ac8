/** Which controlled decision serves a request, and whether it needs one. */
import { type ChunkDecision, type DecisionContext, partialSizeOf } from '../decision.js';
import type { OutcomeLaw } from '../exact-power.js';
import { limitReached } from '../on-limit.js';
import { exponentOf, powerOf } from '../power.js';
import {
  DEFAULT_SAMPLER,
  DEFAULT_TEMPERATURE_LAW,
  type Sampler,
  type SamplingSettings,
  type TokenControls,
} from '../settings.js';
import { RandomStream } from '../uniform.js';
import { type ControlledInput, controlledDecision } from './controlled-decision.js';
import { cutsTail } from './cut-tail.js';
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
  const hasTries = sampler !== 'pool' && !cutsTail(controls) && canTry(temperature / weights.smallestPower);
  const isExact = sampler === 'exact' && hasTries;
  const poolLimit = given.length > 0 ? GIVEN_DRAW_LIMIT : numCandidates;
  const softLimit = isExact ? exactDrawLimit : poolLimit;
  // A power of a conditional probability, and a tail of one, are known token by token only.
  const byChunk = law === 'chunk' && !cutsTail(controls) && (controls.repetitionPenalty ?? 1) === 1;
  const input: ControlledInput = {
    temperature,
    controls,
    weights,
    given,
    byChunk,
    tries: hasTries ? triesAt(temperature, sampler) : null,
    softLimit,
    acceptedLimit: isExact ? exactDrawLimit : numCandidates,
    hardLimit: given.length > 0 ? GIVEN_DRAW_LIMIT : Math.max(exactDrawLimit, softLimit),
    onSoftLimit: () => {
      if (isExact) throw limitReached(temperature, exactDrawLimit);
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

function triesAt(temperature: number, sampler: Sampler): NonNullable<ControlledInput['tries']> {
  return (weightOf, largestLogFactor): OutcomeLaw => ({
    acceptance: outcome => Math.exp((weightOf(outcome).logFactor - largestLogFactor) / temperature),
    // Never null: the smallest power was tried.
    power: outcome => powerOf(exponentOf(temperature / weightOf(outcome).power)!, sampler),
  });
}
