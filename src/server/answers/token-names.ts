/** How a single token is written where tokens are listed: in `logprobs`. */
import type { Encoding } from '../../tokenizer/encoding.js';

/** Names of tokens; each name stands for one token as far as a vocabulary spells its tokens differently. */
export class TokenNames {
  readonly #encoding: Encoding | null;
  readonly #asIds: boolean;

  /**
   * @param encoding null where the model has no tokenizer
   * @param asIds writes every token as its id, as vLLM does for `return_tokens_as_token_ids`
   */
  constructor(encoding: Encoding | null, asIds: boolean) {
    this.#encoding = encoding;
    this.#asIds = asIds;
  }

  /**
   * A token's text; `bytes:\xe2\x80`, as in OpenAI's completions, where its bytes are no whole characters;
   * `token_id:5` where it has no text at all.
   */
  name(id: number): string {
    const bytes = this.#asIds ? null : this.bytes(id);
    if (bytes === null) return `token_id:${id}`;
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    if (Buffer.from(text).equals(bytes)) return text;
    return `bytes:${[...bytes].map(byte => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
  }

  /** The bytes that a token spells, special ones by their text; null for none. */
  bytes(id: number): Uint8Array | null {
    const bytes = this.#encoding?.decodeBytes([id], { showSpecial: true });
    return bytes === undefined || bytes.length === 0 ? null : bytes;
  }
}
