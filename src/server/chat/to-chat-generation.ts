/** The run of a chat request: its conversation is the prompt, and the rest is as in a completion. */
import { CalmError } from '../../errors.js';
import { buildGeneration } from '../generation/build-generation.js';
import type { Generation } from '../generation/generation.js';
import { refuseLogprobs } from '../generation/refuse-logprobs.js';
import type { ServedModel } from '../models/served-model.js';
import { encodeMessages } from './chat-messages.js';
import type { ChatBody } from './chat-schema.js';

/**
 * An answer may be as long as the context has room for, unless the request or the package says otherwise.
 *
 * @param body a body that holds to the schema
 * @throws CalmError invalid_request, unsupported or context_length_exceeded, naming the field
 */
export function toChatGeneration(body: ChatBody, model: ServedModel): Generation {
  refuseLogprobs(body, model);
  const { max_completion_tokens, max_tokens } = body;
  const maxTokens = max_completion_tokens ?? max_tokens ?? model.defaults.max_tokens ?? model.maxModelLen;
  const logprobs = readLogprobs(body);
  const tokens = encodeMessages(body.messages, model);
  return buildGeneration(body, model, {
    prompts: [{ tokens, echoText: '' }],
    maxTokens,
    candidateCount: body.n ?? 1,
    logprobs,
    hasPromptLogprobs: false,
    endTokenIds: model.chatTemplate.endOfTurnIds,
  });
}

/** How many of the most probable tokens are reported with each; null to report none. */
function readLogprobs({ logprobs, top_logprobs: top }: ChatBody): number | null {
  if (logprobs) return top ?? 0;
  if (!top) return null;
  throw new CalmError(
    'invalid_request',
    `\`top_logprobs\` needs \`logprobs\`: true. Given: ${top} without it.`,
    {
      param: 'top_logprobs',
    },
  );
}
