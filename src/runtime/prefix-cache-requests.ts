/**
 * Where the prefix cache meets the engine: before a step it tells waiting requests how much of their prompt is kept,
 * then fills the rows of those that start, and after the step it keeps what was prefilled. All of it happens between
 * two steps of one engine, so nothing is evicted between finding and copying.
 */

import type { LanguageModel } from './model.js';
import { BLOCK_CHUNKS, PrefixCache, type PrefixPath, prefixPath } from './prefix-cache.js';

/** What of a request matters here. */
export interface PromptedRequest {
  /** The prompt on chunk borders. */
  readonly promptTokens: readonly number[];
  /** Every chunk of the prompt must run through the model. */
  readonly needsWholePrompt: boolean;
  /** Chunks in the cache; of a waiting request, those that will be once it starts. */
  cachedChunks: number;
}

/** A request and the row that it holds. */
interface Placed<T> {
  readonly item: T;
  readonly row: number;
}

export class PrefixReuse<T extends PromptedRequest> {
  readonly #cache: PrefixCache;
  readonly #chunkSize: number;
  readonly #paths = new WeakMap<T, PrefixPath>();

  private constructor(cache: PrefixCache, chunkSize: number) {
    this.#cache = cache;
    this.#chunkSize = chunkSize;
  }

  /** Null where nothing can be kept: no memory is given, or the model's rows lie on a device. */
  static open<T extends PromptedRequest>(model: LanguageModel, maxBytes: number): PrefixReuse<T> | null {
    if (!model.rows || maxBytes < 8 * BLOCK_CHUNKS * model.rows.wordsPerChunk) return null;
    return new PrefixReuse<T>(new PrefixCache(model.rows, maxBytes), model.chunkSize);
  }

  /** Memory that is taken. */
  get bytes(): number {
    return this.#cache.bytes;
  }

  /** The same waiting requests; each learns what is kept of its prompt when the scheduler comes to it. */
  *match(waiting: Iterable<T>): Generator<T, void> {
    for (const item of waiting) {
      item.cachedChunks = this.#reusable(item);
      yield item;
    }
  }

  /** Fills the rows of requests that start. */
  restore(started: readonly Placed<T>[]): void {
    for (const { item, row } of started) {
      if (item.cachedChunks > 0) this.#cache.restore(this.#pathOf(item), row, item.cachedChunks);
    }
  }

  /** Keeps what the rows of these requests hold of their prompts, unless other outputs were wanted on the way. */
  store(prefilled: readonly Placed<T>[]): void {
    for (const { item, row } of prefilled) {
      if (!item.needsWholePrompt) this.#cache.store(this.#pathOf(item), row, item.cachedChunks);
    }
  }

  /**
   * All that is kept but for the last chunk, which a decode step feeds. What is left to prefill is never a single
   * chunk: it would take another kernel, with other bits, than in a prompt that is prefilled as a whole.
   */
  #reusable(item: T): number {
    if (item.needsWholePrompt) return 0;
    const kept = this.#cache.find(this.#pathOf(item));
    const left = item.promptTokens.length / this.#chunkSize - 1 - kept;
    return left === 1 ? Math.max(0, kept - 1) : kept;
  }

  #pathOf(item: T): PrefixPath {
    const known = this.#paths.get(item);
    if (known !== undefined) return known;
    const path = prefixPath(item.promptTokens, this.#chunkSize);
    this.#paths.set(item, path);
    return path;
  }
}
