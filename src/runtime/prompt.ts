/** Prompts on chunk borders: a context is a whole number of chunks, a prompt seldom is. */
import { CalmError } from '../errors.js';

/** What alignment needs to know of a model. */
export interface PromptShape {
  /** Tokens a chunk, K. */
  readonly chunkSize: number;
  readonly vocabSize: number;
  /** Chunks that the context holds. */
  readonly contextChunks: number;
  /** Starts a document; fills the front. */
  readonly bosTokenId: number;
}

/**
 * Puts BOS tokens in front of a prompt so that it ends on a chunk border.
 *
 * Models are trained on documents that begin with 1..K BOS, so a prompt gets 1..K of them: a whole chunk where its
 * length is a multiple of K already, unless it begins with BOS itself or fills the context. An empty prompt is one
 * chunk of BOS.
 *
 * Throws `invalid_request` for ids outside the vocabulary and `context_length_exceeded` for prompts that do not fit.
 */
export function alignPrompt(promptTokens: readonly number[], shape: PromptShape): readonly number[] {
  checkPrompt(promptTokens, shape);
  const bosCount = leadingBosCount(promptTokens, shape);
  return bosCount === 0
    ? promptTokens
    : [...new Array<number>(bosCount).fill(shape.bosTokenId), ...promptTokens];
}

function leadingBosCount(promptTokens: readonly number[], shape: PromptShape): number {
  const { chunkSize, contextChunks, bosTokenId } = shape;
  const missing = (chunkSize - (promptTokens.length % chunkSize)) % chunkSize;
  if (missing > 0) return missing;
  if (promptTokens.length === 0) return chunkSize;
  const startsDocument = promptTokens[0] === bosTokenId;
  const isFull = promptTokens.length === contextChunks * chunkSize;
  return startsDocument || isFull ? 0 : chunkSize;
}

function checkPrompt(promptTokens: readonly number[], shape: PromptShape): void {
  const limit = shape.contextChunks * shape.chunkSize;
  if (promptTokens.length > limit) {
    throw new CalmError(
      'context_length_exceeded',
      `The prompt has ${promptTokens.length} tokens, but this model's context holds ${limit}; shorten the prompt.`,
      { param: 'prompt' },
    );
  }
  for (const token of promptTokens) {
    if (Number.isInteger(token) && token >= 0 && token < shape.vocabSize) continue;
    throw new CalmError(
      'invalid_request',
      `The prompt holds the token id ${token}; this model's ids are the integers from 0 to ${shape.vocabSize - 1}.`,
      { param: 'prompt' },
    );
  }
}
