/** The bounds of sampling settings: whoever builds them from outside input has them checked here. */
import { invalidSetting } from './invalid-setting.js';
import type { SamplingSettings } from './settings.js';

/** Most candidates that one decision may draw. */
export const LARGEST_CANDIDATE_COUNT = 4096;

/** With a larger error a decision at temperature 0 would say little. */
export const LARGEST_GREEDY_ERROR = 0.5;

/** Throws `invalid_request`, naming the field as the API does, where a setting is out of its bounds. */
export function checkSettings(settings: SamplingSettings): void {
  const { temperature, numCandidates, seed, choice, greedyError = 0 } = settings;
  if (!(temperature >= 0 && temperature <= 2)) {
    throw invalidSetting('temperature', temperature, 'a number from 0 to 2');
  }
  if (!(greedyError >= 0 && greedyError <= LARGEST_GREEDY_ERROR)) {
    throw invalidSetting('greedy_error', greedyError, `a number from 0 to ${LARGEST_GREEDY_ERROR}`);
  }
  if (!isIntegerWithin(numCandidates, 1, LARGEST_CANDIDATE_COUNT)) {
    throw invalidSetting('num_candidates', numCandidates, `an integer from 1 to ${LARGEST_CANDIDATE_COUNT}`);
  }
  if (!isIntegerWithin(seed, 0, Number.MAX_SAFE_INTEGER)) {
    throw invalidSetting('seed', seed, 'an integer from 0 to 2^53 - 1');
  }
  if (!isIntegerWithin(choice, 0, 2 ** 32 - 1)) {
    throw invalidSetting('choice', choice, 'an integer from 0 to 2^32 - 1');
  }
}

function isIntegerWithin(value: number, low: number, high: number): boolean {
  return Number.isInteger(value) && value >= low && value <= high;
}
