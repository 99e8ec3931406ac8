/** Which chat template a model gets: the operator's, its tokenizer's, or the plain one. */
import { readFileSync } from 'node:fs';
import { CalmError } from '../errors.js';
import type { Manifest } from '../runtime/manifest.js';
import { type ChatTemplate, openChatTemplate } from '../tokenizer/chat-template.js';
import { openPlainChatTemplate } from '../tokenizer/chat-template-plain.js';

/**
 * @param file a Jinja template that replaces the tokenizer's; undefined for none
 * @throws CalmError bad_usage for a file that cannot be read or is no template, bad_tokenizer for a tokenizer's own
 */
export function readChatTemplate(
  { tokenizer, bos_token_id, eos_token_ids }: Manifest,
  file: string | undefined,
): ChatTemplate {
  const own = tokenizer?.chat_template;
  const template = file === undefined ? own : readTemplateFile(file);
  if (!tokenizer || !template) return openPlainChatTemplate();
  const specialTokens = tokenizer.special_tokens;
  const textOf = (id: number | undefined): string =>
    Object.keys(specialTokens).find(text => specialTokens[text] === id) ?? '';
  const source = {
    template,
    specialTokens,
    bosToken: textOf(bos_token_id),
    eosToken: textOf(eos_token_ids[0]),
  };
  if (file === undefined) return openChatTemplate(source);
  try {
    return openChatTemplate(source);
  } catch (cause) {
    const reason = reasonOf(cause instanceof CalmError ? cause.cause : cause);
    throw new CalmError(
      'bad_usage',
      `--chat-template names ${file}, which is no Jinja template: ${reason}.`,
      { cause },
    );
  }
}

function readTemplateFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CalmError(
      'bad_usage',
      `--chat-template names ${file}, which cannot be read: ${reasonOf(cause)}.`,
      { cause },
    );
  }
}

function reasonOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return message.split('\n')[0] ?? '';
}
