/** The body of POST /v1/chat/completions as it comes over the wire; fields that are not listed are ignored. */
import { z } from 'zod';
import { MOST_LOGPROBS } from '../../sampler/token-sampling/check-controls.js';
import { generationFields, optional } from '../generation/generation-fields.js';

/** Most messages of one conversation: a template takes a tenth of a second for them, in which nothing else happens. */
export const maxMessages = 2048;

/** For the document only: chat-messages.ts looks at the parts, because it can say more of what is wrong. */
const documentedPart = (type: string) => ({
  properties: { type: { const: type }, [type]: { type: 'string' } },
  required: [type],
});
const partSchema = z
  .looseObject({ type: z.string() })
  .meta({ anyOf: [documentedPart('text'), documentedPart('refusal')] });

/** Schema of one message. */
const messageSchema = z.looseObject({
  role: z.enum(['developer', 'system', 'user', 'assistant', 'tool', 'function']),
  content: z.union([z.string(), z.array(partSchema)]).nullish(),
  name: z.string().nullish(),
});

export type ChatMessageBody = z.infer<typeof messageSchema>;

/** Schema of a conversation. */
export const messagesSchema = z
  .array(messageSchema)
  .nonempty()
  .max(maxMessages)
  .describe(
    `an array of 1 to ${maxMessages} messages: objects with a \`role\` (developer, system, user, assistant, tool or ` +
      'function) and a `content`, a string or an array of text parts',
  );

/** Schema of the request body. */
export const chatSchema = z.looseObject({
  ...generationFields,
  messages: messagesSchema,
  max_completion_tokens: optional(z.int().nonnegative(), 'a whole number from 0 up'),
  logprobs: optional(z.boolean(), 'true or false'),
  top_logprobs: optional(z.int().min(0).max(MOST_LOGPROBS), `a whole number from 0 to ${MOST_LOGPROBS}`),
  tools: optional(z.array(z.unknown()), 'an array of tools'),
  functions: optional(z.array(z.unknown()), 'an array of functions'),
});

/** A request body whose types and ranges hold. */
export type ChatBody = z.infer<typeof chatSchema>;
