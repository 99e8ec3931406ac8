/** What scoring needs of a model: a block's own contexts all at once, and contexts that leave the block's text. */
import type { Block } from './blocks.js';
import type { NodeScore } from './brier.js';

/** A context at which draws are wanted. */
export interface NodeQuery {
  /** Where the context's state is: the chunk of the block, or the row that was fed, after which draws are wanted. */
  readonly state: number;
  readonly samples: number;
  /** Prefixes of 1 to `length` tokens are scored; at most K. */
  readonly length: number;
  /** The `length` tokens that follow in the text; null where the context left it. */
  readonly truth: readonly number[] | null;
  /** Block of the context: part of the random key. */
  readonly block: number;
  /** Number of the context within its block, below 2^31: part of the random key. */
  readonly node: number;
}

/** One chunk for one row of the cache. */
export interface ChunkFeed {
  readonly chunk: readonly number[];
  /** Chunks that stay valid in front of it: where it is written. */
  readonly position: number;
}

/** A model with a cache of some rows. Calls must not overlap. */
export interface BlockModel {
  /** Tokens a chunk, K. */
  readonly chunkSize: number;
  /** Rows of the cache. */
  readonly rowCount: number;
  /** Writes the first `chunks` chunks of a block into a row. `scoreText` speaks of the block that came last. */
  prefill(row: number, block: Block, chunks: number): Promise<void>;
  /** Scores contexts of the block's own text. */
  scoreText(queries: readonly NodeQuery[]): Promise<NodeScore[]>;
  /** Feeds one chunk to each row, from row 0 on; null for a row without work, whose text is lost. */
  feed(feeds: readonly (ChunkFeed | null)[]): Promise<void>;
  /** Scores contexts that end with the chunks that were fed last. */
  scoreFed(queries: readonly NodeQuery[]): Promise<NodeScore[]>;
  /** Releases every native handle. */
  close(): void;
}
