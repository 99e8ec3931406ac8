/** The chat template of models that have none: base models, which know documents and no turns. */
import { type ChatTemplate, openChatTemplate } from './chat-template.js';

/**
 * What user and assistant said, each message a line (or lines) of one document, and nothing else. The first line of
 * many stories is their title, so a model of stories answers a title with its story, and a further message with how
 * it goes on. Instructions of the system are left out: a base model would take them for a part of the story.
 */
const plainTemplate = `
{%- for message in messages if message.role in ['user', 'assistant'] -%}
{{ message.content | trim }}{{ '\\n' }}
{%- endfor -%}`;

/** One for all models: it writes no special tokens. */
export function openPlainChatTemplate(): ChatTemplate {
  return openChatTemplate({ template: plainTemplate, specialTokens: {}, bosToken: '', eosToken: '' });
}
