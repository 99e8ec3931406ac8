/** POST /v1/completions: parse, admit, then answer at once or event by event. */
import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { type AnswerOptions, collectCompletion, streamCompletion } from './completion-response.js';
import { startCompletion } from './completion-run.js';
import { type CompletionBody, completionSchema } from './completion-schema.js';
import { findIgnoredParams, surfaceIgnoredParams } from './ignored-params.js';
import { parseBody } from './parse-body.js';
import { readJson } from './read-json.js';
import { controlRequest, type ServerEnv } from './request-signal.js';
import type { ServedModel } from './served-model.js';
import { reportError, type ServerContext } from './server-context.js';
import { eventStream, eventStreamHeaders } from './sse.js';
import { toGeneration } from './to-generation.js';

/** Answers one completion request. Whatever is wrong with it is thrown before the first byte of the answer. */
export async function answerCompletion(
  context: Context<ServerEnv>,
  server: ServerContext,
): Promise<Response> {
  server.lifecycle.assertOpen();
  const controller = controlRequest(context, server.lifecycle);
  const body = parseBody(completionSchema, await readJson(context.req.raw, server.maxBodyBytes));
  const model = server.models.get(body.model);
  surfaceIgnoredParams(context, server, findIgnoredParams(body, model, server.strictParams ?? false));
  const generation = toGeneration(body, model);
  const options = readAnswerOptions(body, model);
  const head = {
    id: `cmpl-${randomUUID()}`,
    object: 'text_completion' as const,
    created: Math.floor(Date.now() / 1000),
    model: model.id,
  };
  const deltas = startCompletion(model, generation, controller);
  if (!body.stream) return context.json(await collectCompletion(deltas, head, generation, options));
  const events = streamCompletion(deltas, head, generation, options);
  const stream = eventStream(events, {
    onError: error => reportError(server, error, context.get('requestId')),
    onCancel: () => controller.abort(),
  });
  return context.body(stream, 200, { ...eventStreamHeaders });
}

/** A model without a tokenizer has only ids to answer with. */
function readAnswerOptions(body: CompletionBody, model: ServedModel): AnswerOptions {
  return {
    returnTokenIds: body.return_token_ids ?? model.encoding === null,
    includeUsage: body.stream_options?.include_usage ?? false,
    continuousUsage: body.stream_options?.continuous_usage_stats ?? false,
  };
}
