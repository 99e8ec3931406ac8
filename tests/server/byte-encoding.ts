/** A tokenizer in which every byte is a token of its own, so that a test can put anything on a chunk border. */
import { type Encoding, openEncoding } from '../../src/tokenizer/encoding.js';
import { formatRanks } from '../../src/tokenizer/ranks.js';
import { bosTokenId, eosTokenId } from './fake-model.js';

/** Ids 0 to 255 are the bytes; the caller closes it. */
export function openByteEncoding(): Encoding {
  return openEncoding({
    ranks: formatRanks(new Map(Array.from({ length: 256 }, (_, byte) => [byte, Uint8Array.of(byte)]))),
    pattern: '[\\s\\S]',
    specialTokens: { '<|begin_of_text|>': bosTokenId, '<|end_of_text|>': eosTokenId },
  });
}
