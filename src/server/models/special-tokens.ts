/** The tokens that begin and end documents, as clients are told of them. */
import type { ServedModel } from './served-model.js';

/** Ids, and their texts where the model has a tokenizer. */
export function describeSpecialTokens({ encoding, bosTokenId, endTokenIds }: ServedModel) {
  const eosTokenId = endTokenIds.find(id => id !== bosTokenId) ?? null;
  const textOf = (id: number | null): string | null =>
    id === null || !encoding ? null : encoding.decode([id], { showSpecial: true });
  return {
    bos_token: textOf(bosTokenId),
    bos_token_id: bosTokenId,
    eos_token: textOf(eosTokenId),
    eos_token_id: eosTokenId,
  };
}
