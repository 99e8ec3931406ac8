/** Text to token ids and back: tiktoken's byte-level BPE over the ranks of a model package. */
import { Tiktoken } from 'tiktoken';
import { CalmError } from '../errors.js';
import { cutLongRuns } from './long-runs.js';
import { parseRanks, type RankedTokens } from './ranks.js';

/** What a model package says of its tokenizer. */
export interface EncodingFiles {
  /** The rank file's content. */
  readonly ranks: Buffer;
  /** Split pattern of the byte-level BPE. */
  readonly pattern: string;
  /** Ids of the tokens that no ordinary text encodes to. */
  readonly specialTokens: Readonly<Record<string, number>>;
}

export interface EncodeOptions {
  /** Read special tokens where their text stands; otherwise, and by default, they are text like any other. */
  readonly allowSpecial?: boolean;
}

export interface DecodeOptions {
  /** Write special tokens as their text; by default they spell nothing. */
  readonly showSpecial?: boolean;
}

/**
 * Makes an encoding; the caller closes it.
 * @throws CalmError bad_tokenizer for ranks, special tokens or a pattern that cannot be used.
 */
export function openEncoding({ ranks, pattern, specialTokens }: EncodingFiles): Encoding {
  const tokens = parseRanks(ranks, 'The tokenizer');
  checkSpecialTokens(specialTokens, tokens);
  let engine: Tiktoken;
  try {
    engine = new Tiktoken(ranks.toString('latin1').replaceAll('\r', ''), { ...specialTokens }, pattern);
    engine.encode_ordinary('a');
  } catch (cause) {
    throw new CalmError(
      'bad_tokenizer',
      `The tokenizer's split pattern is no regular expression that tiktoken can use: ${pattern}`,
      { cause },
    );
  }
  return new Encoding(engine, tokens, specialTokens);
}

export class Encoding {
  /** One more than the highest id that text can be encoded to, special tokens included. */
  readonly vocabularySize: number;
  /** UTF-8 bytes of the longest ordinary token: a text of n bytes has at least n / longestToken tokens. */
  readonly longestToken: number;
  readonly #specialText: ReadonlyMap<number, string>;
  /** The bytes of all ordinary tokens, by id: token i is bytes starts[i] to starts[i + 1]. */
  readonly #bytes: Uint8Array;
  readonly #starts: Uint32Array;
  #engine: Tiktoken | null;

  /** Use openEncoding. Takes over `engine`. */
  constructor(engine: Tiktoken, tokens: RankedTokens, specialTokens: Readonly<Record<string, number>>) {
    this.#engine = engine;
    this.#specialText = new Map(Object.entries(specialTokens).map(([text, id]) => [id, text]));
    const ids = [...tokens.keys(), ...this.#specialText.keys()];
    this.vocabularySize = ids.reduce((highest, id) => Math.max(highest, id), 0) + 1;
    this.#starts = new Uint32Array(this.vocabularySize + 1);
    let end = 0;
    let longest = 0;
    for (let id = 0; id < this.vocabularySize; id++) {
      const length = tokens.get(id)?.length ?? 0;
      longest = Math.max(longest, length);
      end += length;
      this.#starts[id + 1] = end;
    }
    this.longestToken = longest;
    this.#bytes = new Uint8Array(end);
    for (const [id, bytes] of tokens) this.#bytes.set(bytes, this.#starts[id]);
  }

  /**
   * Token ids of a text. Lone surrogates, which UTF-8 cannot hold, become U+FFFD.
   * @throws CalmError bad_tokenizer where the split pattern leaves out a part of the text.
   */
  encode(text: string, { allowSpecial = false }: EncodeOptions = {}): number[] {
    if (this.#engine === null) throw new CalmError('internal', 'The encoding was closed before it was used.');
    const ids: number[] = [];
    for (const part of cutLongRuns(text)) {
      const found = allowSpecial ? this.#engine.encode(part, 'all', []) : this.#engine.encode_ordinary(part);
      for (const id of found) ids.push(id);
    }
    this.#requireWhole(text, ids);
    return ids;
  }

  /** What an ordinary token spells; nothing for special tokens and for ids that the tokenizer does not know. */
  tokenBytes(id: number): Uint8Array {
    if (!Number.isInteger(id) || id < 0 || id >= this.vocabularySize) return this.#bytes.subarray(0, 0);
    return this.#bytes.subarray(this.#starts[id], this.#starts[id + 1]);
  }

  isSpecial(id: number): boolean {
    return this.#specialText.has(id);
  }

  /** The bytes that the tokens spell, which need not be whole characters. */
  decodeBytes(ids: Iterable<number>, { showSpecial = false }: DecodeOptions = {}): Uint8Array {
    const parts: Uint8Array[] = [];
    for (const id of ids) {
      const special = showSpecial ? this.#specialText.get(id) : undefined;
      parts.push(special === undefined ? this.tokenBytes(id) : Buffer.from(special));
    }
    return Buffer.concat(parts);
  }

  /** The text that the tokens spell; bytes that are no UTF-8 become U+FFFD. */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    return Buffer.from(this.decodeBytes(ids, options)).toString('utf8');
  }

  /** Frees the memory of tiktoken; may be called twice. */
  close(): void {
    this.#engine?.free();
    this.#engine = null;
  }

  /** tiktoken drops without a word what the pattern does not match. */
  #requireWhole(text: string, ids: readonly number[]): void {
    let bytes = 0;
    for (const id of ids) {
      const special = this.#specialText.get(id);
      bytes += special === undefined ? this.tokenBytes(id).length : Buffer.byteLength(special);
    }
    if (bytes !== Buffer.byteLength(text)) {
      throw new CalmError(
        'bad_tokenizer',
        `The tokenizer's split pattern matches only ${bytes} of ${Buffer.byteLength(text)} bytes of a text: ` +
          'the model package needs a pattern that matches every character.',
      );
    }
  }
}

function checkSpecialTokens(specialTokens: Readonly<Record<string, number>>, tokens: RankedTokens): void {
  const byId = new Map<number, string>();
  for (const [text, id] of Object.entries(specialTokens)) {
    const taken = byId.get(id) ?? (tokens.has(id) ? 'an ordinary token' : undefined);
    if (text === '' || taken !== undefined) {
      throw new CalmError(
        'bad_tokenizer',
        `The special token ${JSON.stringify(text)} cannot have the id ${id}: ` +
          (text === '' ? 'its text is empty.' : `that is the id of ${taken}.`),
      );
    }
    byId.set(id, text);
  }
}
