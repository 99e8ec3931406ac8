/** Rows of a cache in CPU memory, copied out and in some chunks at a time. */

/** Access to the rows of a model's cache where they lie in CPU memory. */
export interface RowMemory {
  /** Words of 8 bytes that one chunk of a row takes, all layers together. */
  readonly wordsPerChunk: number;
  /** Copies as many chunks of a row as `target` has room for, from chunk `position` on. */
  save(row: number, position: number, target: Float64Array): void;
  /** Copies the first `chunks` chunks of what `save` wrote to `source` back, to chunk `position` of a row. */
  restore(source: Float64Array, row: number, position: number, chunks: number): void;
}

/** How the chunks of a row lie in each of a cache's buffers: [slots, kv heads, chunks, head size]. */
export interface RowLayout {
  readonly kvHeads: number;
  readonly contextChunks: number;
  /** Words of 8 bytes that one head's key or value takes; head sizes are multiples of 16, so it is whole. */
  readonly wordsPerHead: number;
}

/** Copies between the buffers of a cache and plain arrays; a copy has the same bits. */
export class CacheRows implements RowMemory {
  readonly wordsPerChunk: number;
  readonly #layout: RowLayout;
  readonly #buffers: readonly Float64Array[];

  /** `buffers` are the cache's, one for the keys and one for the values of each layer. */
  constructor(buffers: readonly Float64Array[], layout: RowLayout) {
    this.#buffers = buffers;
    this.#layout = layout;
    this.wordsPerChunk = buffers.length * layout.kvHeads * layout.wordsPerHead;
  }

  save(row: number, position: number, target: Float64Array): void {
    const words = (target.length / this.wordsPerChunk) * this.#layout.wordsPerHead;
    this.#eachHead(row, position, (buffer, start, index) => {
      target.set(buffer.subarray(start, start + words), index * words);
    });
  }

  restore(source: Float64Array, row: number, position: number, chunks: number): void {
    const { wordsPerHead } = this.#layout;
    const stride = (source.length / this.wordsPerChunk) * wordsPerHead;
    this.#eachHead(row, position, (buffer, start, index) => {
      buffer.set(source.subarray(index * stride, index * stride + chunks * wordsPerHead), start);
    });
  }

  /** Calls `copy` with the place of a chunk in every buffer and head, counted by `index`. */
  #eachHead(
    row: number,
    position: number,
    copy: (buffer: Float64Array, start: number, index: number) => void,
  ): void {
    const { kvHeads, contextChunks, wordsPerHead } = this.#layout;
    let index = 0;
    for (const buffer of this.#buffers) {
      for (let head = 0; head < kvHeads; head += 1) {
        copy(buffer, ((row * kvHeads + head) * contextChunks + position) * wordsPerHead, index);
        index += 1;
      }
    }
  }
}
