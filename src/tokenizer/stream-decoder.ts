/** Token ids to text as they arrive, never cutting inside a character. */
import type { DecodeOptions, Encoding } from './encoding.js';

/**
 * Decodes one stream of tokens. A token may end inside a character; its bytes wait until the character is whole.
 * What all calls return, joined, is what Encoding.decode gives for all tokens at once; the time is linear.
 */
export class StreamDecoder {
  readonly #encoding: Pick<Encoding, 'decodeBytes'>;
  readonly #options: DecodeOptions;
  // A byte order mark is a character like any other in generated text.
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  constructor(encoding: Pick<Encoding, 'decodeBytes'>, options: DecodeOptions = {}) {
    this.#encoding = encoding;
    this.#options = options;
  }

  /** The characters that these tokens complete; bytes that can become no character give U+FFFD at once. */
  push(ids: Iterable<number>): string {
    return this.#decoder.decode(this.#encoding.decodeBytes(ids, this.#options), { stream: true });
  }

  /** The text ends here: U+FFFD where it ends inside a character, else nothing. Resets the decoder. */
  flush(): string {
    return this.#decoder.decode();
  }
}
