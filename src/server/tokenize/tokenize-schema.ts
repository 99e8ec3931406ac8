/** The bodies of POST /tokenize and POST /detokenize, with vLLM's and llama.cpp's names of the same fields. */
import { z } from 'zod';
import { maxMessages, messagesSchema } from '../chat/chat-schema.js';
import { optional, tokenIds } from '../generation/generation-fields.js';

const model = optional(z.string(), 'the name of a served model (GET /v1/models lists them)');
const text = optional(z.string(), 'a string');
const flag = optional(z.boolean(), 'true or false');

export const tokenizeSchema = z.looseObject({
  model,
  prompt: text,
  content: text,
  messages: optional(messagesSchema, `an array of 1 to ${maxMessages} messages, as in a chat`),
  add_special_tokens: flag,
  add_special: flag,
  return_token_strs: flag,
});

export type TokenizeBody = z.infer<typeof tokenizeSchema>;

export const detokenizeSchema = z.looseObject({
  model,
  tokens: tokenIds.describe('an array of token ids'),
});
