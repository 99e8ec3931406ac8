/** POST /v1/completions. */
import type { Context } from 'hono';
import { readUsageOptions } from '../answers/answer-meter.js';
import { readRequest } from '../answers/read-request.js';
import { type AnswerForm, type AnswerHead, respond } from '../answers/respond.js';
import { TokenNames } from '../answers/token-names.js';
import type { ServerEnv } from '../requests/request-signal.js';
import type { ServerContext } from '../server-context.js';
import { collectCompletion, streamCompletion } from './completion-response.js';
import { completionSchema } from './completion-schema.js';
import { toCompletionGeneration } from './to-completion-generation.js';

/** Answers one completion request. Whatever is wrong with it is thrown before the first byte of the answer. */
export async function answerCompletion(
  context: Context<ServerEnv>,
  server: ServerContext,
): Promise<Response> {
  const { body, model, controller } = await readRequest(context, server, completionSchema);
  const generation = toCompletionGeneration(body, model);
  const options = {
    // A model without a tokenizer has only ids to answer with.
    returnTokenIds: body.return_token_ids ?? model.encoding === null,
    tokenNames: new TokenNames(model.encoding, body.return_tokens_as_token_ids ?? false),
    model,
    ...readUsageOptions(body),
  };
  const named = (head: AnswerHead) => ({ ...head, object: 'text_completion' as const });
  const form: AnswerForm = {
    idPrefix: 'cmpl',
    collect: (deltas, head) => collectCompletion(deltas, named(head), generation, options),
    stream: (deltas, head) => streamCompletion(deltas, named(head), generation, options),
  };
  return respond(context, server, { model, generation, isStream: body.stream ?? false, form, controller });
}
