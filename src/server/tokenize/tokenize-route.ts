/** POST /tokenize, POST /detokenize and GET /tokenizer_info: a model's tokenizer, for clients that have none. */
import type { Context } from 'hono';
import { CalmError } from '../../errors.js';
import type { Encoding } from '../../tokenizer/encoding.js';
import { encodeMessages } from '../chat/chat-messages.js';
import { checkVocabulary } from '../generation/check-prompt.js';
import { parseBody } from '../http/parse-body.js';
import { readJson } from '../http/read-json.js';
import type { ServedModel } from '../models/served-model.js';
import { describeSpecialTokens } from '../models/special-tokens.js';
import type { ServerEnv } from '../requests/request-signal.js';
import type { ServerContext } from '../server-context.js';
import { detokenizeSchema, type TokenizeBody, tokenizeSchema } from './tokenize-schema.js';

/** Longest text that is tokenized for its own sake: a tenth of a second in which nothing else happens. */
const maxTextBytes = 256 * 1024;

/** Token ids of a text or a conversation, as a prompt of a completion would have them. */
export async function answerTokenize(context: Context<ServerEnv>, server: ServerContext): Promise<Response> {
  const body = parseBody(tokenizeSchema, await readJson(context.req.raw, server.maxBodyBytes));
  const model = server.models.get(body.model);
  const encoding = requireEncoding(model);
  const tokens = encodeBody(body, model, encoding);
  return context.json({
    tokens,
    count: tokens.length,
    max_model_len: model.maxModelLen,
    ...(body.return_token_strs ? { token_strs: tokens.map(id => showTokens([id], encoding)) } : {}),
  });
}

/** The text of token ids, special tokens included. */
export async function answerDetokenize(
  context: Context<ServerEnv>,
  server: ServerContext,
): Promise<Response> {
  const body = parseBody(detokenizeSchema, await readJson(context.req.raw, server.maxBodyBytes));
  const model = server.models.get(body.model);
  checkVocabulary(body.tokens, 'tokens', 'tokens', model);
  const text = showTokens(body.tokens, requireEncoding(model));
  return context.json({ prompt: text, content: text });
}

/** What transformers would say of the tokenizer, as far as it is known. */
export function answerTokenizerInfo(context: Context<ServerEnv>, server: ServerContext): Response {
  const model = server.models.get(context.req.query('model'));
  requireEncoding(model);
  return context.json({
    model: model.id,
    tokenizer_class: 'ByteLevelBPE',
    vocab_size: model.vocabSize,
    model_max_length: model.maxModelLen,
    ...describeSpecialTokens(model),
    chat_template: model.chatTemplate.text,
  });
}

/** The engine puts the start of the document in front of every prompt, so it is no part of one unless asked for. */
function encodeBody(body: TokenizeBody, model: ServedModel, encoding: Encoding): readonly number[] {
  if (body.messages) return encodeMessages(body.messages, model);
  const text = body.prompt ?? body.content;
  if (text === null || text === undefined) {
    throw new CalmError(
      'invalid_request',
      'One of `prompt`, `content` and `messages` must be given: what is to be tokenized.',
      { param: 'prompt' },
    );
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > maxTextBytes) {
    throw new CalmError(
      'invalid_request',
      `\`prompt\` must not be longer than ${maxTextBytes} bytes. Given: ${bytes}. Send it in parts.`,
      { param: 'prompt' },
    );
  }
  const tokens = encoding.encode(text);
  return (body.add_special_tokens ?? body.add_special) ? [model.bosTokenId, ...tokens] : tokens;
}

function requireEncoding(model: ServedModel): Encoding {
  if (model.encoding) return model.encoding;
  throw new CalmError('unsupported', `The package of ${model.id} has no tokenizer.`, { param: 'model' });
}

function showTokens(ids: readonly number[], encoding: Encoding): string {
  return encoding.decode(ids, { showSpecial: true });
}
