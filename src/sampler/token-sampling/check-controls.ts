/** The bounds of token controls, as src/sampler/check-settings.ts has those of the other settings. */
import { invalidSetting } from '../invalid-setting.js';
import type { TokenControls } from '../settings.js';

/** Most alternatives that are reported with a token's log-probability. */
export const MOST_LOGPROBS = 20;

/** Throws `invalid_request`, naming the field as the API does, where a control is out of its bounds. */
export function checkControls(controls: TokenControls): void {
  const { topP, topK, minP, presencePenalty, frequencyPenalty, repetitionPenalty, minTokens } = controls;
  checkRange('top_p', topP, 0, 1);
  checkRange('min_p', minP, 0, 1);
  checkRange('presence_penalty', presencePenalty, -2, 2);
  checkRange('frequency_penalty', frequencyPenalty, -2, 2);
  checkCount('top_k', topK, 1);
  checkCount('min_tokens', minTokens, 0);
  if (repetitionPenalty !== undefined && !(repetitionPenalty > 0 && Number.isFinite(repetitionPenalty))) {
    throw invalidSetting('repetition_penalty', repetitionPenalty, 'a number above 0');
  }
  for (const bias of controls.logitBias?.values() ?? []) {
    if (!(bias <= 100)) throw invalidSetting('logit_bias', bias, 'numbers of at most 100');
  }
}

/** Throws `invalid_request` where a number of alternatives is out of its bounds. */
export function checkLogprobs(param: string, count: number | undefined): void {
  if (count === undefined || (Number.isInteger(count) && count >= 0 && count <= MOST_LOGPROBS)) return;
  throw invalidSetting(param, count, `an integer from 0 to ${MOST_LOGPROBS}`);
}

function checkRange(param: string, value: number | undefined, low: number, high: number): void {
  if (value === undefined || (value >= low && value <= high)) return;
  throw invalidSetting(param, value, `a number from ${low} to ${high}`);
}

function checkCount(param: string, value: number | undefined, low: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= low)) return;
  throw invalidSetting(param, value, `an integer of at least ${low}`);
}
