/** The backbone over some rows of a cache, with its hidden states. */

import { type CacheSize, cacheSize, KvCache } from '../runtime/kv-cache.js';
import { CacheInputs } from '../runtime/kv-cache-inputs.js';
import type { Manifest } from '../runtime/manifest.js';
import { Binding } from '../runtime/ort/binding.js';
import { activationElementType } from '../runtime/ort/graph-contract.js';
import { type Closable, HandleStack } from '../runtime/ort/handle.js';
import type { PackageSessions } from '../runtime/ort/package-sessions.js';
import type { Session } from '../runtime/ort/session.js';
import { TensorBuffer } from '../runtime/ort/tensor-buffer.js';
import type { ChunkFeed } from './block-model.js';
import { LONGEST_NGRAM } from './brier.js';

/** More rows than this share a native call without saving time. */
const MOST_ROWS = 16;
/** Memory that the rows of the cache may take together, as far as more than one row goes. */
const CACHE_BYTES = 1 << 30;

/** Rows of the cache for blocks of `blockTokens` tokens; one where no n-gram is longer than a chunk. */
export function evaluationCacheSize(manifest: Manifest, blockTokens: number): CacheSize {
  const { slotBytes } = cacheSize(manifest, { slots: 1, maxModelLen: blockTokens });
  const useful = manifest.chunk_size < LONGEST_NGRAM ? MOST_ROWS : 1;
  const slots = Math.max(1, Math.min(useful, Math.floor(CACHE_BYTES / slotBytes)));
  return cacheSize(manifest, { slots, maxModelLen: blockTokens });
}

/** Each row holds one block; a chunk that is fed behind any of its positions overwrites what came after it. */
export class BlockCache implements Closable {
  readonly rowCount: number;
  /** States [chunks, hidden size] of the last prefill. */
  readonly textStates: TensorBuffer;
  /** States [rows, hidden size] of the last feed. */
  readonly fedStates: TensorBuffer;
  readonly #chunkSize: number;
  readonly #hiddenSize: number;
  readonly #session: Session;
  readonly #textInputs: CacheInputs;
  readonly #fedInputs: CacheInputs;
  readonly #textBindings = new Map<number, Binding>();
  readonly #fedBindings = new Map<number, Binding>();
  readonly #owned = new HandleStack();

  /** `longestPiece` is the largest number of chunks that one prefill call brings. */
  constructor(sessions: PackageSessions, manifest: Manifest, size: CacheSize, longestPiece: number) {
    this.rowCount = size.slots;
    this.#chunkSize = manifest.chunk_size;
    this.#hiddenSize = manifest.backbone.hidden_size;
    try {
      this.#session = sessions.open('backbone');
      const { hostAllocator, deviceAllocator } = this.#session;
      const element = activationElementType(manifest);
      const states = (rows: number) =>
        this.#owned.own(new TensorBuffer(deviceAllocator, element, rows * this.#hiddenSize));
      const cache = this.#owned.own(new KvCache(sessions.environment, deviceAllocator, manifest, size));
      const inputs = (chunks: number) =>
        this.#owned.own(new CacheInputs(hostAllocator, cache, chunks * this.#chunkSize));
      this.textStates = states(longestPiece);
      this.fedStates = states(size.slots);
      this.#textInputs = inputs(longestPiece);
      this.#fedInputs = inputs(size.slots);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Appends a piece behind the first `position` chunks of a row; one native call. */
  async prefill(row: number, position: number, tokens: readonly number[]): Promise<void> {
    const chunks = tokens.length / this.#chunkSize;
    let binding = this.#textBindings.get(row);
    if (binding === undefined) {
      binding = this.#owned.own(new Binding(this.#session));
      this.#textInputs.bind(binding, row, 1, this.#chunkSize);
      this.#textBindings.set(row, binding);
    }
    this.#textInputs.bindIds(binding, 1, tokens.length);
    this.#textInputs.writeIds(0, tokens);
    this.#textInputs.writeLengths([position + chunks]);
    binding.bindOutput('hidden', this.textStates.tensor([1, chunks, this.#hiddenSize]));
    await binding.run();
  }

  /** Feeds one chunk to each row. A row without one must hold nothing any more: its first position is overwritten. */
  async feed(feeds: readonly (ChunkFeed | null)[]): Promise<void> {
    const rows = feeds.length;
    let binding = this.#fedBindings.get(rows);
    if (binding === undefined) {
      binding = this.#owned.own(new Binding(this.#session));
      this.#fedInputs.bind(binding, 0, rows, this.#chunkSize);
      binding.bindOutput('hidden', this.fedStates.tensor([rows, 1, this.#hiddenSize]));
      this.#fedBindings.set(rows, binding);
    }
    const anything = new Array<number>(this.#chunkSize).fill(0);
    for (const [row, feed] of feeds.entries()) {
      this.#fedInputs.writeIds(row * this.#chunkSize, feed?.chunk ?? anything);
    }
    this.#fedInputs.writeLengths(feeds.map(feed => (feed?.position ?? 0) + 1));
    await binding.run();
  }

  close(): void {
    this.#textBindings.clear();
    this.#fedBindings.clear();
    this.#owned.close();
  }
}
