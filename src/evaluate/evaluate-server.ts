/** BrierLM of a model behind a completions server, by draws alone. */
import { CalmError } from '../errors.js';
import type { Manifest } from '../runtime/manifest.js';
import { uniformAt } from '../sampler/uniform.js';
import type { Encoding } from '../tokenizer/encoding.js';
import { type Block, cutDocuments, cutStream, requirePositions, settleLayout } from './blocks.js';
import { LONGEST_NGRAM, type PositionScore, scoreNode } from './brier.js';
import { BrierTotals } from './brier-summary.js';
import { type CompletionsTarget, type Draw, requestDraws } from './completions-client.js';
import type { Evaluation, EvaluationOptions } from './evaluation.js';

/** Requests under way at a time. */
const CONCURRENCY = 8;

export interface ServerEvaluationOptions extends EvaluationOptions {
  /** Send prompts as text instead of token ids. */
  readonly textPrompts?: boolean | undefined;
}

/**
 * Scores a served model on documents of token ids, at the places and in the contexts of `evaluatePackage`.
 *
 * @param like the package whose tokenizer, chunk size, BOS and context the served model is taken to have
 * @param encoding its tokenizer, for prompts as text and for draws that come back as text only
 * @throws CalmError bad_usage for options that do not fit, for text that is too short, and for a server that fails
 */
export async function evaluateServer(
  target: CompletionsTarget,
  like: Manifest,
  encoding: Encoding,
  documents: readonly (readonly number[])[],
  options: ServerEvaluationOptions,
): Promise<Evaluation> {
  const { chunk_size: chunkSize, bos_token_id: bosTokenId } = like;
  // A server also keeps room for what it generates.
  const contextTokens = (like.backbone.max_positions - 1) * chunkSize;
  const layout = settleLayout({ chunkSize, bosTokenId, contextTokens }, options);
  const blocks = [...(options.concatenate ? cutStream : cutDocuments)(documents, layout)];
  requirePositions(blocks, documents);
  const totals = new BrierTotals();
  const draw = new PositionDraw(target, encoding, options);
  let tokens = 0;
  for (const block of blocks) {
    const starts = options.textPrompts ? block.starts.filter(start => hasText(block, start)) : block.starts;
    for (const score of await inTurns(starts, start => draw.score(block, start))) {
      totals.add(block.unit, score);
    }
    tokens += block.textTokens;
    options.onProgress?.(tokens);
  }
  return {
    ...totals.summary(),
    blockTokens: layout.blockTokens,
    stride: layout.stride,
    samples: options.samples,
    tokens,
    autoencoderAccuracy: null,
    autoencoderAccuracyClean: null,
    autoencoderAccuracyRandom: null,
    flopsPerToken: null,
    flopsPerTokenParts: null,
  };
}

/** A prompt of no text is nothing that every server takes. */
function hasText({ tokens, textTokens }: Block, start: number): boolean {
  return start > tokens.length - textTokens;
}

class PositionDraw {
  readonly #target: CompletionsTarget;
  readonly #encoding: Encoding;
  readonly #options: ServerEvaluationOptions;

  constructor(target: CompletionsTarget, encoding: Encoding, options: ServerEvaluationOptions) {
    this.#target = target;
    this.#encoding = encoding;
    this.#options = options;
  }

  /** Scores what the server draws at one place of a block. */
  async score(block: Block, start: number): Promise<PositionScore> {
    const context = block.tokens.slice(0, start);
    const seed = uniformAt({ seed: this.#options.seed, choice: 0, step: block.index, stream: start });
    const draws = await requestDraws(this.#target, {
      prompt: this.#options.textPrompts ? this.#encoding.decode(context) : context,
      count: this.#options.samples,
      maxTokens: LONGEST_NGRAM,
      seed: Math.floor(seed * 2 ** 53),
    });
    const target = block.tokens.slice(start, start + LONGEST_NGRAM);
    return scoreNode(
      draws.map(each => this.#tokensOf(each)),
      LONGEST_NGRAM,
      target,
    );
  }

  #tokensOf({ text, tokenIds }: Draw): readonly number[] {
    if (tokenIds === null && !this.#options.textPrompts) {
      throw new CalmError(
        'bad_usage',
        `The server at ${this.#target.baseUrl} does not tell token ids; use --text-prompts.`,
        { param: 'url' },
      );
    }
    return (tokenIds ?? this.#encoding.encode(text)).slice(0, LONGEST_NGRAM);
  }
}

/** Runs `work` on all items, some at a time; results in the order of the items. */
async function inTurns<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  const waiting = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of waiting) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, items.length) }, worker));
  return results;
}
