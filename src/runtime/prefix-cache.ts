/**
 * Beginnings of prompts whose keys and values are kept, so that the next prompt that begins alike need not compute
 * them. A tree of blocks of BLOCK_CHUNKS chunks: a block is found by exactly the tokens of itself and of all blocks
 * before it, so nothing can be confused, and a prefix that stands at K alignments is K different branches.
 *
 * Blocks are copies in host memory, made when a prefill piece is done and copied back into the row of a later
 * request. A copy costs a few hundredths of computing it, has the same bits, and leaves the rows of running requests
 * to them alone: whatever happens to a request, its blocks stay valid.
 */
import type { RowMemory } from './kv-cache-rows.js';

/** Chunks of one block: what a hit is a multiple of. */
export const BLOCK_CHUNKS = 8;

/** The tokens of each whole block of a prompt as text: the way through the tree. */
export type PrefixPath = readonly string[];

/** The path of a prompt on chunk borders. Its last chunk is left out, as its keys and values come from a decode step. */
export function prefixPath(promptTokens: readonly number[], chunkSize: number): PrefixPath {
  const blockTokens = BLOCK_CHUNKS * chunkSize;
  const blockCount = Math.floor((promptTokens.length - chunkSize) / blockTokens);
  return Array.from({ length: Math.max(0, blockCount) }, (_, block) =>
    promptTokens.slice(block * blockTokens, (block + 1) * blockTokens).join(),
  );
}

interface Block {
  readonly key: string;
  readonly parent: Block | null;
  readonly children: Map<string, Block>;
  readonly words: Float64Array;
}

/** Keeps blocks within a memory limit; the ones that were not used for longest go first. */
export class PrefixCache {
  readonly #rows: RowMemory;
  readonly #capacity: number;
  readonly #roots = new Map<string, Block>();
  /** Least recently used first. A block stands behind all of its descendants, so the first one has none. */
  readonly #byUse = new Set<Block>();
  /** Memory of evicted blocks. */
  readonly #spare: Float64Array[] = [];

  /** @param maxBytes memory for all blocks; taken as they are filled, and kept */
  constructor(rows: RowMemory, maxBytes: number) {
    this.#rows = rows;
    this.#capacity = Math.floor(maxBytes / (8 * BLOCK_CHUNKS * rows.wordsPerChunk));
  }

  /** Memory of the blocks that are kept. */
  get bytes(): number {
    return this.#byUse.size * 8 * BLOCK_CHUNKS * this.#rows.wordsPerChunk;
  }

  /** How many chunks of a prompt are kept, from its beginning on. */
  find(path: PrefixPath): number {
    return this.#walk(path).length * BLOCK_CHUNKS;
  }

  /** Copies the first `chunks` chunks of a prompt, which `find` has found, to the front of a row. */
  restore(path: PrefixPath, row: number, chunks: number): void {
    const blocks = this.#walk(path.slice(0, Math.ceil(chunks / BLOCK_CHUNKS)));
    if (blocks.length * BLOCK_CHUNKS < chunks) throw new Error(`${chunks} chunks of a prompt are not kept`);
    for (const [index, { words }] of blocks.entries()) {
      const position = index * BLOCK_CHUNKS;
      this.#rows.restore(words, row, position, Math.min(BLOCK_CHUNKS, chunks - position));
    }
    this.#touch(blocks);
  }

  /** Keeps the whole blocks among the first `chunks` chunks of a prompt, which the row holds. */
  store(path: PrefixPath, row: number, chunks: number): void {
    const wanted = path.slice(0, Math.floor(chunks / BLOCK_CHUNKS));
    const blocks = this.#walk(wanted);
    this.#touch(blocks);
    for (const key of wanted.slice(blocks.length)) {
      const words = this.#takeMemory(blocks.length);
      if (words === null) break;
      this.#rows.save(row, blocks.length * BLOCK_CHUNKS, words);
      const block: Block = { key, parent: blocks.at(-1) ?? null, children: new Map(), words };
      this.#siblingsOf(block).set(key, block);
      this.#byUse.add(block);
      blocks.push(block);
    }
    this.#touch(blocks);
  }

  /** The blocks of a path that are kept, from the first on. */
  #walk(path: PrefixPath): Block[] {
    const blocks: Block[] = [];
    let children: ReadonlyMap<string, Block> = this.#roots;
    for (const key of path) {
      const block = children.get(key);
      if (block === undefined) break;
      blocks.push(block);
      children = block.children;
    }
    return blocks;
  }

  /** Marks the blocks of a path as used just now, the last one first. */
  #touch(blocks: readonly Block[]): void {
    for (const block of blocks.toReversed()) {
      this.#byUse.delete(block);
      this.#byUse.add(block);
    }
  }

  /**
   * Memory for one more block; null where only the path that is being stored could give it. Its `pathLength` blocks
   * were all used last, so the least recent block is one of them only where there are no others.
   */
  #takeMemory(pathLength: number): Float64Array | null {
    if (this.#byUse.size >= this.#capacity) {
      const [oldest] = this.#byUse;
      if (oldest === undefined || this.#byUse.size === pathLength) return null;
      this.#byUse.delete(oldest);
      this.#siblingsOf(oldest).delete(oldest.key);
      this.#spare.push(oldest.words);
    }
    // Not filled with zeros, as it is written at once.
    return (
      this.#spare.pop() ??
      new Float64Array(Buffer.allocUnsafeSlow(8 * BLOCK_CHUNKS * this.#rows.wordsPerChunk).buffer)
    );
  }

  #siblingsOf({ parent }: Block): Map<string, Block> {
    return parent?.children ?? this.#roots;
  }
}
