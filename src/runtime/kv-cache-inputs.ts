/** The inputs that every graph with a cache has: token ids, and how much of each row is valid. */
import { CalmError } from '../errors.js';
import type { KvCache } from './kv-cache.js';
import type { Binding } from './ort/binding.js';
import { type Closable, HandleStack } from './ort/handle.js';
import type { Allocator } from './ort/memory.js';
import { TensorBuffer } from './ort/tensor-buffer.js';

/** Token ids, `seqlens_k` and `total_sequence_length` in CPU memory, rewritten in place before each run. */
export class CacheInputs implements Closable {
  readonly #cache: KvCache;
  readonly #ids: TensorBuffer;
  readonly #lengths: TensorBuffer;
  readonly #longest: TensorBuffer;
  readonly #owned = new HandleStack();

  /** Room for `idCount` token ids and the rows of `cache`. */
  constructor(allocator: Allocator, cache: KvCache, idCount: number) {
    const rowCount = cache.size.slots;
    this.#cache = cache;
    this.#ids = this.#owned.own(new TensorBuffer(allocator, 'int64', idCount));
    this.#lengths = this.#owned.own(new TensorBuffer(allocator, 'int32', rowCount));
    this.#longest = this.#owned.own(new TensorBuffer(allocator, 'int32', 1));
  }

  /** Ties the inputs of `rowCount` rows with `idsPerRow` ids each, and the cache rows from `firstRow` on. */
  bind(binding: Binding, firstRow: number, rowCount: number, idsPerRow: number): void {
    this.bindIds(binding, rowCount, idsPerRow);
    binding.bindHostInput('seqlens_k', this.#lengths.tensor([rowCount]));
    binding.bindHostInput('total_sequence_length', this.#longest.tensor([]));
    this.#cache.bind(binding, firstRow, rowCount);
  }

  /** Ties the ids alone, where only their number changes. */
  bindIds(binding: Binding, rowCount: number, idsPerRow: number): void {
    binding.bindHostInput('input_ids', this.#ids.tensor([rowCount, idsPerRow]));
  }

  /** Writes token ids from `offset` on. */
  writeIds(offset: number, ids: readonly number[]): void {
    for (let i = 0; i < ids.length; i += 1) this.#ids.integers[2 * (offset + i)] = ids[i] as number;
  }

  /** Writes the number of valid positions of each row after the run, the positions of this run included. */
  writeLengths(lengths: readonly number[]): void {
    let longest = 0;
    for (let row = 0; row < lengths.length; row += 1) {
      const length = lengths[row] as number;
      this.#lengths.integers[row] = length - 1;
      if (length > longest) longest = length;
    }
    // The graphs write the cache where they are told to, also behind its end.
    if (longest > this.#cache.size.contextChunks) {
      throw new CalmError(
        'internal',
        `A row of ${longest} chunks exceeds the cache's ${this.#cache.size.contextChunks}.`,
      );
    }
    this.#longest.integers[0] = longest;
  }

  close(): void {
    this.#owned.close();
  }
}
