/** The `logprobs` of a text completion: four lists with an entry for each token. */
import type { TokenLogprob, TokenLogprobs } from '../../sampler/token-sampling/token-logprobs.js';
import type { Encoding } from '../../tokenizer/encoding.js';
import { StreamDecoder } from '../../tokenizer/stream-decoder.js';
import type { TokenNames } from '../answers/token-names.js';

export interface CompletionLogprobs {
  /** Where each token begins in the choice's text, in characters (code points). */
  readonly text_offset: readonly number[];
  /** null for a prompt's first token where nothing comes before it, not even a BOS of the engine's. */
  readonly token_logprobs: readonly (number | null)[];
  readonly tokens: readonly string[];
  /** The most probable tokens, and the token itself where it is none of them. */
  readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
}

/** Writes the lists of one choice, all at once or event by event. */
export class CompletionLogprobsWriter {
  readonly #names: TokenNames;
  readonly #decoder: StreamDecoder | null;
  #offset = 0;

  /** @param encoding null where the model has no tokenizer: then there is no text to have offsets in */
  constructor(names: TokenNames, encoding: Encoding | null) {
    this.#names = names;
    this.#decoder = encoding && new StreamDecoder(encoding);
  }

  /** @param prompt what `echo` shows; its first token has an entry in `logprobs` only where a BOS was put in front */
  writePrompt(prompt: readonly number[], logprobs: readonly TokenLogprobs[]): CompletionLogprobs {
    const [first] = prompt;
    if (first === undefined || logprobs.length >= prompt.length)
      return this.write(logprobs.slice(0, prompt.length));
    const start = {
      text_offset: [this.#advance(first)],
      token_logprobs: [null],
      tokens: [this.#names.name(first)],
      top_logprobs: [null],
    };
    return joinLogprobs([start, this.write(logprobs)]);
  }

  write(entries: readonly TokenLogprobs[]): CompletionLogprobs {
    return {
      text_offset: entries.map(({ token }) => this.#advance(token)),
      token_logprobs: entries.map(({ logprob }) => logprob),
      tokens: entries.map(({ token }) => this.#names.name(token)),
      top_logprobs: entries.map(entry => this.#listTop(entry)),
    };
  }

  /** Offset of a token, and on to the next one. */
  #advance(token: number): number {
    const offset = this.#offset;
    for (const _ of this.#decoder?.push([token]) ?? '') this.#offset += 1;
    return offset;
  }

  #listTop({ token, logprob, top }: TokenLogprobs): Record<string, number> {
    const list = new Map<string, number>();
    const entries: readonly TokenLogprob[] = [...top, { token, logprob }];
    for (const entry of entries) {
      const name = this.#names.name(entry.token);
      if (!list.has(name)) list.set(name, entry.logprob);
    }
    return Object.fromEntries(list);
  }
}

/** Lists one after the other. */
export function joinLogprobs(parts: readonly CompletionLogprobs[]): CompletionLogprobs {
  return {
    text_offset: parts.flatMap(part => part.text_offset),
    token_logprobs: parts.flatMap(part => part.token_logprobs),
    tokens: parts.flatMap(part => part.tokens),
    top_logprobs: parts.flatMap(part => part.top_logprobs),
  };
}
