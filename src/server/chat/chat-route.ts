/** POST /v1/chat/completions. */
import type { Context } from 'hono';
import { readUsageOptions } from '../answers/answer-meter.js';
import { readRequest } from '../answers/read-request.js';
import { type AnswerForm, respond } from '../answers/respond.js';
import { TokenNames } from '../answers/token-names.js';
import type { ServerEnv } from '../requests/request-signal.js';
import type { ServerContext } from '../server-context.js';
import { collectChat, streamChat } from './chat-response.js';
import { chatSchema } from './chat-schema.js';
import { toChatGeneration } from './to-chat-generation.js';

/** Answers one chat request. Whatever is wrong with it is thrown before the first byte of the answer. */
export async function answerChat(context: Context<ServerEnv>, server: ServerContext): Promise<Response> {
  const { body, model, controller } = await readRequest(context, server, chatSchema);
  const generation = toChatGeneration(body, model);
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
