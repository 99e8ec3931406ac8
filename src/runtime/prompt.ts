/** Prompts on chunk borders: a context is a whole number of chunks, a prompt seldom is. */
import { CalmError } from '../errors.js';

/**
 * How a prompt comes to end on a chunk border: `bos` fills its front, `condition` draws only such next chunks as begin
 * with the tokens behind the last border.
 */
export const PROMPT_ALIGNMENTS = ['bos', 'condition'] as const;
export type PromptAlignment = (typeof PROMPT_ALIGNMENTS)[number];

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

/** A prompt as the model takes it. */
export interface AlignedPrompt {
  /** A whole number of chunks, at least one. */
  readonly tokens: readonly number[];
  /** What the first generated chunk has to begin with, fewer tokens than a chunk has; empty under `bos`. */
  readonly given: readonly number[];
}

/**
 * Puts BOS tokens in front of a prompt so that it ends on a chunk border. Under `condition` the tokens behind its last
 * border are given to the first generated chunk instead, and what is before them is aligned.
 *
 * Models are trained on documents that begin with 1..K BOS, so a prompt gets 1..K of them: a whole chunk where its
 * length is a multiple of K already, unless it begins with BOS itself or fills the context. An empty prompt is one
 * chunk of BOS.
 *
 * Throws `invalid_request` for ids outside the vocabulary and `context_length_exceeded` for prompts that do not fit.
 */
export function alignPrompt(
  promptTokens: readonly number[],
  shape: PromptShape,
  alignment: PromptAlignment = 'bos',
): AlignedPrompt {
  checkPrompt(promptTokens, shape);
  if (alignment === 'bos') return { tokens: fillFront(promptTokens, shape), given: [] };
  const border = promptTokens.length - (promptTokens.length % shape.chunkSize);
  const whole = promptTokens.slice(0, border);
  const rest = promptTokens.slice(border);
  return { tokens: fillFront(whole, shape), given: border === 0 ? withoutBos(rest, shape) : rest };
}

function fillFront(promptTokens: readonly number[], shape: PromptShape): readonly number[] {
  const bosCount = leadingBosCount(promptTokens, shape);
  return bosCount === 0
    ? promptTokens
    : [...new Array<number>(bosCount).fill(shape.bosTokenId), ...promptTokens];
}

/** A document that has no chunk yet starts with a chunk of BOS; those of the prompt are the same start. */
function withoutBos(tokens: readonly number[], { bosTokenId }: PromptShape): readonly number[] {
  const first = tokens.findIndex(token => token !== bosTokenId);
  return first < 0 ? [] : tokens.slice(first);
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
