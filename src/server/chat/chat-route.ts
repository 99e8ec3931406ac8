/** POST /v1/chat/completions. */
import type { Context } from 'hono';
import { readUsageOptions } from '../answers/answer-meter.js';
import { type AnswerForm, respond } from '../answers/respond.js';
import { TokenNames } from '../answers/token-names.js';
import { findIgnoredParams, surfaceIgnoredParams } from '../generation/ignored-params.js';
import { parseBody } from '../http/parse-body.js';
import { readJson } from '../http/read-json.js';
import { controlRequest, type ServerEnv } from '../requests/request-signal.js';
import type { ServerContext } from '../server-context.js';
import { collectChat, streamChat } from './chat-response.js';
import { chatSchema } from './chat-schema.js';
import { toChatGeneration } from './to-chat-generation.js';

/** Answers one chat request. Whatever is wrong with it is thrown before the first byte of the answer. */
export async function answerChat(context: Context<ServerEnv>, server: ServerContext): Promise<Response> {
  server.lifecycle.assertOpen();
  const controller = controlRequest(context, server.lifecycle);
  const body = parseBody(chatSchema, await readJson(context.req.raw, server.maxBodyBytes));
  const model = server.models.get(body.model);
  surfaceIgnoredParams(context, findIgnoredParams(body, model, server.strictParams ?? false));
  const { streamGranularity } = server;
  const granular = { ...body, stream_granularity: body.stream_granularity ?? streamGranularity };
  const generation = toChatGeneration(granular, model);
  const options = {
    returnTokenIds: body.return_token_ids ?? false,
    tokenNames: new TokenNames(model.encoding, body.return_tokens_as_token_ids ?? false),
    ...readUsageOptions(body),
  };
  const form: AnswerForm = {
    idPrefix: 'chatcmpl',
    collect: (deltas, head) => collectChat(deltas, head, generation, options),
    stream: (deltas, head) => streamChat(deltas, head, generation, options),
  };
  return respond(context, server, { model, generation, isStream: body.stream ?? false, form, controller });
}
