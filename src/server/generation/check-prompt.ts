/** What a prompt must hold to before it reaches the engine, whatever it was on the wire. */
import { CalmError } from '../../errors.js';
import type { Encoding } from '../../tokenizer/encoding.js';
import type { ServedModel } from '../models/served-model.js';

/** Refuses what can not fit before it is tokenized, which would hold up everyone else. */
export function checkTextLength(bytes: number, param: string, encoding: Encoding, model: ServedModel): void {
  const leastTokens = Math.ceil(bytes / encoding.longestToken);
  if (leastTokens <= model.maxModelLen) return;
  throw new CalmError(
    'context_length_exceeded',
    `The prompt has at least ${leastTokens} tokens, but this model's context holds ${model.maxModelLen}; shorten the prompt.`,
    { param },
  );
}

/** @throws CalmError invalid_request for ids that the model does not have, naming the place of the first */
export function checkVocabulary(
  ids: readonly number[],
  param: string,
  place: string,
  model: ServedModel,
): void {
  const index = ids.findIndex(id => id >= model.vocabSize);
  if (index < 0) return;
  throw new CalmError(
    'invalid_request',
    `\`${place}[${index}]\` must be a token id of ${model.id}, from 0 to ${model.vocabSize - 1}. Given: ${ids[index]}.`,
    { param },
  );
}
