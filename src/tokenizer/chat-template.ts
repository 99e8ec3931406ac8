/** A conversation as one prompt, by the Jinja template that a tokenizer brings along. */
import { Template } from '@huggingface/jinja';
import { CalmError } from '../errors.js';
import type { Encoding } from './encoding.js';

/** One message, its content put together as text. */
export interface ChatMessage {
  readonly role: string;
  readonly content: string;
  /** Who speaks, where a client says so. */
  readonly name?: string;
}

/** What a template needs to know of its tokenizer. */
export interface ChatTemplateSource {
  /** Jinja, as transformers understands it. */
  readonly template: string;
  readonly specialTokens: Readonly<Record<string, number>>;
  /** Texts of the tokens that start and end a document; templates write them. */
  readonly bosToken: string;
  readonly eosToken: string;
}

/** A noncharacter: no text holds it for its own sake. */
const mark = '\uFDD0';
/** A text that no template writes by itself. */
const probe = 'b4c1e6d2a7';

/** @throws CalmError bad_tokenizer for what is no template */
export function openChatTemplate(source: ChatTemplateSource): ChatTemplate {
  try {
    return new ChatTemplate(new Template(source.template), source);
  } catch (cause) {
    throw new CalmError(
      'bad_tokenizer',
      `The chat template of the tokenizer cannot be read: ${firstLine(cause)}. ` +
        'Without `tokenizer.chat_template` in manifest.json the plain template is used.',
      { cause },
    );
  }
}

export class ChatTemplate {
  readonly #template: Template;
  readonly #source: ChatTemplateSource;
  /** Finds the special tokens in a rendered conversation; null where there are none. */
  readonly #special: RegExp | null;
  /**
   * Special tokens that end an answer, beside those that end a document: the one that the template itself puts right
   * behind what an assistant said, such as <|im_end|> or <|eot_id|>. Empty where there is none.
   */
  readonly endOfTurnIds: readonly number[];

  /** Use openChatTemplate. */
  constructor(template: Template, source: ChatTemplateSource) {
    this.#template = template;
    this.#source = source;
    this.#special = matchAny(Object.keys(source.specialTokens));
    this.endOfTurnIds = this.#findEndOfTurn();
  }

  /** The Jinja text. */
  get text(): string {
    return this.#source.template;
  }

  /**
   * Token ids of a conversation, up to where the assistant's answer begins. Special tokens are those that the
   * template, the system or the assistant wrote: in a user's or a tool's text they are text, so that no text can pass
   * for the end of its own turn.
   *
   * @throws CalmError invalid_request where the template refuses the messages, such as roles that it does not know
   */
  encode(messages: readonly ChatMessage[], encoding: Encoding): number[] {
    const text = this.#render(
      messages.map(message => this.#protect(message)),
      true,
    );
    if (this.#special === null) return encoding.encode(text);
    const ids: number[] = [];
    // The pattern's one group makes every second part a special token.
    for (const [index, part] of text.split(this.#special).entries()) {
      const special = index % 2 === 1 ? this.#source.specialTokens[part] : undefined;
      const found = special === undefined ? encoding.encode(part.replaceAll(mark, '')) : [special];
      for (const id of found) ids.push(id);
    }
    return ids;
  }

  #findEndOfTurn(): readonly number[] {
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: probe },
    ];
    const text = this.#tryRender(messages);
    const start = text.lastIndexOf(probe);
    if (start < 0) return [];
    const behind = text.slice(start + probe.length).trimStart();
    const found = this.#special?.exec(behind);
    const id = found?.index === 0 ? this.#source.specialTokens[found[0]] : undefined;
    return id === undefined ? [] : [id];
  }

  /** Nothing where the template refuses such a conversation: it may want one that begins in another way. */
  #tryRender(messages: readonly ChatMessage[]): string {
    try {
      return this.#render(messages, false);
    } catch {
      return probe;
    }
  }

  #render(messages: readonly ChatMessage[], addGenerationPrompt: boolean): string {
    const { bosToken, eosToken } = this.#source;
    try {
      return this.#template.render({
        messages,
        add_generation_prompt: addGenerationPrompt,
        bos_token: bosToken,
        eos_token: eosToken,
      });
    } catch (cause) {
      throw new CalmError(
        'invalid_request',
        `The model's chat template refuses these \`messages\`: ${firstLine(cause)}.`,
        { param: 'messages', cause },
      );
    }
  }

  /** Breaks special tokens in two until none is left. */
  #protect(message: ChatMessage): ChatMessage {
    if (this.#special === null || !['user', 'tool', 'function'].includes(message.role)) return message;
    let { content } = message;
    for (let broken = ''; broken !== content; ) {
      broken = content;
      content = broken.replace(new RegExp(this.#special, 'gu'), token => breakInTwo(token));
    }
    return { ...message, content };
  }
}

/** A token of one character cannot be broken. */
function breakInTwo(token: string): string {
  const [first = '', ...rest] = token;
  return rest.length === 0 ? token : `${first}${mark}${rest.join('')}`;
}

/** A pattern with one group that finds any of the texts, the longest first. */
function matchAny(texts: readonly string[]): RegExp | null {
  if (texts.length === 0) return null;
  const escaped = [...texts]
    .sort((a, b) => b.length - a.length)
    .map(text => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  return new RegExp(`(${escaped.join('|')})`, 'u');
}

/** Why the template engine gave up, short enough for a sentence. */
function firstLine(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause);
  return (message.split('\n')[0] ?? '').slice(0, 200).replace(/\.$/, '');
}
