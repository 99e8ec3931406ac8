/** Cutting documents into blocks on which a model is scored. */
import { CalmError } from '../errors.js';
import { LONGEST_NGRAM } from './brier.js';

/** A stretch of tokens that is fed to the model from an empty context, and the places in it that are scored. */
export interface Block {
  /** Number of the block, from 0: part of the random key. */
  readonly index: number;
  /** Which independent unit of the standard error it belongs to. */
  readonly unit: number;
  /** Token ids, chunk-aligned from the first one on. */
  readonly tokens: readonly number[];
  /** Offsets in `tokens`, ascending multiples of K, where scored n-grams start; their targets lie within `tokens`. */
  readonly starts: readonly number[];
  /** Tokens of the text in it, without BOS. */
  readonly textTokens: number;
}

export interface BlockLayout {
  /** Tokens a chunk, K. */
  readonly chunkSize: number;
  readonly bosTokenId: number;
  /** Text tokens of a block, a multiple of `stride`. */
  readonly blockTokens: number;
  /** Tokens from one scored position to the next, a multiple of K. */
  readonly stride: number;
}

/** The smallest multiple of K that holds the longest n-gram: targets do not overlap. For K = 1, 2 and 4 it is 4. */
export function defaultStride(chunkSize: number): number {
  return chunkSize * Math.ceil(LONGEST_NGRAM / chunkSize);
}

/**
 * Checks a layout against a model and fills in what is left out: the longest block that the model can hold.
 * @throws CalmError bad_usage, naming the option
 */
export function settleLayout(
  model: LayoutModel,
  wanted: { readonly blockTokens?: number | undefined; readonly stride?: number | undefined },
): BlockLayout {
  const { chunkSize, bosTokenId, contextTokens } = model;
  const stride = wanted.stride ?? defaultStride(chunkSize);
  if (stride % chunkSize !== 0) {
    throw new CalmError(
      'bad_usage',
      `Positions ${stride} tokens apart do not fall on the borders of chunks of ${chunkSize}; make --stride a multiple of ${chunkSize}.`,
      { param: 'stride' },
    );
  }
  const longest = Math.floor(contextTokens / stride) * stride;
  const blockTokens = wanted.blockTokens ?? longest;
  if (blockTokens % stride !== 0 || blockTokens < stride || blockTokens > longest) {
    throw new CalmError(
      'bad_usage',
      `A block of ${blockTokens} tokens does not work for this model; --block must be a multiple of ${stride} from ${stride} to ${longest}.`,
      { param: 'block' },
    );
  }
  return { chunkSize, bosTokenId, blockTokens, stride };
}

/**
 * Cuts every document into blocks of at most `blockTokens` tokens, each behind one chunk of BOS: what the server puts
 * in front of a prompt of whole chunks. Only the first block of a document scores its first position; in later ones
 * the text before it is not in the context. N-grams that would run past the end of the text are left out, and with
 * them every end token and its filling.
 */
export function* cutDocuments(documents: Iterable<readonly number[]>, layout: BlockLayout): Generator<Block> {
  const { chunkSize, blockTokens } = layout;
  const front = new Array<number>(chunkSize).fill(layout.bosTokenId);
  let index = 0;
  let unit = 0;
  for (const document of documents) {
    for (let from = 0; from < document.length; from += blockTokens) {
      const text = document.slice(from, from + blockTokens);
      const starts = offsets(from === 0 ? 0 : layout.stride, text.length, layout).map(
        start => start + chunkSize,
      );
      if (starts.length === 0) continue;
      yield { index, unit, tokens: [...front, ...text], starts, textTokens: text.length };
      index += 1;
    }
    unit += 1;
  }
}

/**
 * The protocol of the published evaluation: documents, each behind one BOS, joined to one stream that is cut into
 * blocks wherever it may be; a block's first chunk has no context and is not scored. A block is the independent unit.
 */
export function* cutStream(documents: Iterable<readonly number[]>, layout: BlockLayout): Generator<Block> {
  const { blockTokens } = layout;
  let pending: number[] = [];
  let index = 0;
  for (const document of documents) {
    pending.push(layout.bosTokenId);
    for (const token of document) pending.push(token);
    while (pending.length >= blockTokens) {
      yield* streamBlock(pending.slice(0, blockTokens), index, layout);
      pending = pending.slice(blockTokens);
      index += 1;
    }
  }
  yield* streamBlock(pending, index, layout);
}

function* streamBlock(tokens: readonly number[], index: number, layout: BlockLayout): Generator<Block> {
  const starts = offsets(layout.stride, tokens.length, layout);
  if (starts.length > 0) yield { index, unit: index, tokens, starts, textTokens: tokens.length };
}

/** Multiples of the stride from `first` on whose n-grams end within `length` tokens. */
function offsets(first: number, length: number, { stride }: BlockLayout): number[] {
  const found: number[] = [];
  for (let offset = first; offset + LONGEST_NGRAM <= length; offset += stride) found.push(offset);
  return found;
}

/** What a layout needs to know of a model. */
export interface LayoutModel {
  readonly chunkSize: number;
  readonly bosTokenId: number;
  readonly contextTokens: number;
}

/**
 * The block and stride at which all of these models can be scored at the same places: the least common multiple of
 * their strides, and what the shortest of their contexts holds.
 * @throws CalmError bad_usage, naming the option
 */
export function commonLayout(
  models: readonly LayoutModel[],
  wanted: { readonly blockTokens?: number | undefined; readonly stride?: number | undefined },
): { readonly blockTokens: number; readonly stride: number } {
  const stride =
    wanted.stride ?? models.map(model => defaultStride(model.chunkSize)).reduce(leastCommonMultiple);
  const layouts = models.map(model => settleLayout(model, { ...wanted, stride }));
  return { stride, blockTokens: Math.min(...layouts.map(({ blockTokens }) => blockTokens)) };
}

function leastCommonMultiple(a: number, b: number): number {
  let [divisor, rest] = [a, b];
  while (rest > 0) [divisor, rest] = [rest, divisor % rest];
  return (a / divisor) * b;
}

/** @throws CalmError bad_usage where there is nothing to score */
export function requirePositions(blocks: readonly Block[], documents: readonly (readonly number[])[]): void {
  if (blocks.length > 0) return;
  const longest = documents.reduce((most, document) => Math.max(most, document.length), 0);
  throw new CalmError(
    'bad_usage',
    `The text is too short: its longest document has ${longest} tokens, and a scored position takes ${LONGEST_NGRAM}.`,
    { param: 'data' },
  );
}
