/** A small tokenizer for tests: the 256 bytes as tokens 0 to 255, then the given words. */
import { type Encoding, openEncoding } from '../src/tokenizer/encoding.js';
import { formatRanks } from '../src/tokenizer/ranks.js';

/** Words, letters with one leading mark, numbers, other marks, white space: everything matches. */
export const TEST_PATTERN =
  '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+';

/** The rank file of the 256 bytes and `words`, whose ids count from 256. */
export function byteRanks(words: readonly string[] = []): Buffer {
  const tokens = new Map<number, Uint8Array>();
  for (let byte = 0; byte < 256; byte++) tokens.set(byte, Uint8Array.of(byte));
  for (const word of words) tokens.set(tokens.size, Buffer.from(word));
  return formatRanks(tokens);
}

/** Special tokens follow after the words, in order. The caller closes the encoding. */
export function byteEncoding(words: readonly string[] = [], special: readonly string[] = []): Encoding {
  const specialTokens = Object.fromEntries(special.map((text, index) => [text, 256 + words.length + index]));
  return openEncoding({ ranks: byteRanks(words), pattern: TEST_PATTERN, specialTokens });
}
