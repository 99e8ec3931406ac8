/** From messages on the wire to the tokens of one prompt. */
import { CalmError } from '../../errors.js';
import type { ChatMessage } from '../../tokenizer/chat-template.js';
import { excerpt } from '../excerpt.js';
import { checkTextLength } from '../generation/check-prompt.js';
import type { ServedModel } from '../models/served-model.js';
import type { ChatMessageBody } from './chat-schema.js';

/**
 * Token ids of a conversation, up to where the answer begins.
 *
 * @throws CalmError invalid_request, unsupported or context_length_exceeded, naming `messages`
 */
export function encodeMessages(
  bodies: readonly ChatMessageBody[],
  { encoding, chatTemplate, ...model }: ServedModel,
): readonly number[] {
  if (!encoding) {
    throw new CalmError(
      'unsupported',
      `Chats need a tokenizer, and the package of ${model.id} has none. Send token ids to /v1/completions.`,
      { param: 'messages' },
    );
  }
  const messages = bodies.map(readMessage);
  const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content) + 1, 0);
  checkTextLength(bytes, 'messages', encoding, { ...model, encoding, chatTemplate });
  return chatTemplate.encode(messages, encoding);
}

/** `developer` is what OpenAI calls the system since its models reason; templates know the older name. */
function readMessage({ role, content, name }: ChatMessageBody, index: number): ChatMessage {
  return {
    role: role === 'developer' ? 'system' : role,
    content: readContent(content, index),
    ...(name ? { name } : {}),
  };
}

/** Text parts become lines. An assistant that only called tools has said nothing. */
function readContent(content: ChatMessageBody['content'], message: number): string {
  if (content === null || content === undefined) return '';
  if (typeof content === 'string') return content;
  return content.map((part, index) => readPart(part, `messages[${message}].content[${index}]`)).join('\n');
}

function readPart(part: Readonly<Record<string, unknown>>, place: string): string {
  const text = part.type === 'refusal' ? part.refusal : part.text;
  if ((part.type === 'text' || part.type === 'refusal') && typeof text === 'string') return text;
  const given = part.type === 'text' ? `a text part whose text is ${excerpt(text)}` : excerpt(part.type);
  throw new CalmError(
    'invalid_request',
    `\`${place}\` must be a text part, {"type": "text", "text": "..."}: models here read nothing else. Given: ${given}.`,
    { param: 'messages' },
  );
}
