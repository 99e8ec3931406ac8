/** What is refused at the counter, before a request costs anything. */
import { CalmError } from '../errors.js';
import { checkSettings } from '../sampler/check-settings.js';
import { checkControls, checkLogprobs } from '../sampler/token-sampling/check-controls.js';
import type { GenerationRequest } from './request.js';

/** Checks everything of a request but its prompt; throws `invalid_request` with the field's name. */
export function checkRequest(request: GenerationRequest): void {
  const { controls, logprobs } = request.sampling;
  checkSettings(request.sampling);
  if (controls) checkControls(controls);
  checkLogprobs('logprobs', logprobs);
  checkLogprobs('logprobs', request.promptLogprobs);
  checkTokenCount('max_tokens', request.maxTokens, 1);
  checkTokenCount('min_tokens', request.minTokens, 0);
}

function checkTokenCount(param: string, value: number, smallest: number): void {
  if (Number.isSafeInteger(value) && value >= smallest) return;
  const sentence = `\`${param}\` must be an integer of at least ${smallest}. Given: ${value}`;
  throw new CalmError('invalid_request', sentence, { param });
}

/** How full the engine is. */
export interface Occupancy {
  readonly waiting: number;
  readonly freeSlots: number;
  readonly maxWaiting: number;
}

/** Throws `queue_full` where `count` more requests would exceed the free slots and the places in the queue. */
export function checkRoom(count: number, { waiting, freeSlots, maxWaiting }: Occupancy): void {
  if (waiting + count <= freeSlots + maxWaiting) return;
  throw new CalmError(
    'queue_full',
    `The server is busy: ${waiting} requests wait already and at most ${maxWaiting} may; try again later.`,
  );
}
