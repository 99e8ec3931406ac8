/** Reads completions that are not streamed. */
import { type AnswerContent, parseCompletion } from './completion-object.js';
import { describeRefusal } from './refusal.js';
import { RequestFailure } from './request-failure.js';

/**
 * @param status of the HTTP answer
 * @param body the whole answer
 * @throws RequestFailure for a status that is no success, and malformed, error_in_stream or no_usage
 */
export function readWholeAnswer(status: number, body: string): AnswerContent {
  if (status !== 200) throw describeRefusal(status, body);
  const { choices, usage } = parseCompletion(body, 'The answer');
  const choice = choices[0];
  if (!choice) throw new RequestFailure('malformed', 'The answer has no choice.');
  if (!usage) {
    throw new RequestFailure('no_usage', 'The answer has no `usage`, so its tokens cannot be counted.');
  }
  return {
    completionTokens: usage.completion_tokens,
    finishReason: choice.finish_reason ?? null,
    text: choice.text ?? '',
    tokenIds: choice.token_ids ?? [],
  };
}
