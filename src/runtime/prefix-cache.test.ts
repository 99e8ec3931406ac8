import { expect, it } from 'vitest';
import type { RowMemory } from './kv-cache-rows.js';
import { BLOCK_CHUNKS, PrefixCache, prefixPath } from './prefix-cache.js';

const chunkSize = 2;
const blockTokens = BLOCK_CHUNKS * chunkSize;

/** Rows of one word a chunk, as a table. */
class Rows implements RowMemory {
  readonly wordsPerChunk = 1;
  readonly words: Float64Array[];

  constructor(rowCount: number, chunks: number) {
    this.words = Array.from({ length: rowCount }, () => new Float64Array(chunks));
  }

  save(row: number, position: number, target: Float64Array): void {
    target.set(this.words[row]!.subarray(position, position + target.length));
  }

  restore(source: Float64Array, row: number, position: number, chunks: number): void {
    this.words[row]!.set(source.subarray(0, chunks), position);
  }
}

function cacheOf(blocks: number) {
  const rows = new Rows(2, 64);
  return { rows, cache: new PrefixCache(rows, blocks * BLOCK_CHUNKS * 8) };
}

/** A prompt of whole blocks, each filled with one token, and one more chunk. */
function promptOf(...blocks: number[]): readonly number[] {
  return [...blocks.flatMap(token => new Array<number>(blockTokens).fill(token)), 0, 0];
}

const pathOf = (...blocks: number[]) => prefixPath(promptOf(...blocks), chunkSize);

function storeAll(cache: PrefixCache, ...blocks: number[]): void {
  cache.store(pathOf(...blocks), 0, blocks.length * BLOCK_CHUNKS);
}

it('finds the longest beginning that it was given, block by block', () => {
  const { cache } = cacheOf(10);
  storeAll(cache, 1, 2, 3);
  expect(cache.find(pathOf(1, 2, 3, 4))).toBe(3 * BLOCK_CHUNKS);
  expect(cache.find(pathOf(1, 2, 9))).toBe(2 * BLOCK_CHUNKS);
  expect(cache.find(pathOf(2, 3))).toBe(0);
});

it('never counts the last chunk of a prompt, which a decode step feeds', () => {
  const whole = new Array<number>(blockTokens).fill(1);
  expect(prefixPath(whole, chunkSize)).toHaveLength(0);
  expect(prefixPath([...whole, 1, 1], chunkSize)).toHaveLength(1);
  expect(prefixPath([1, 1], chunkSize)).toHaveLength(0);
});

it('brings back what the row held, in whole blocks and in part of one, and writes nothing else', () => {
  const { rows, cache } = cacheOf(10);
  rows.words[0]!.forEach((_, i, words) => {
    words[i] = i + 1;
  });
  storeAll(cache, 1, 2);
  rows.words[0]!.fill(0);
  cache.restore(pathOf(1, 2, 3), 1, 2 * BLOCK_CHUNKS - 1);
  const expected = Array.from({ length: 64 }, (_, i) => (i < 2 * BLOCK_CHUNKS - 1 ? i + 1 : 0));
  expect([...rows.words[1]!]).toEqual(expected);
  expect(() => cache.restore(pathOf(1, 2, 3), 1, 3 * BLOCK_CHUNKS)).toThrow('not kept');
});

it('keeps to its memory, and forgets first what was not used for longest, ends before beginnings', () => {
  const { cache } = cacheOf(4);
  storeAll(cache, 1, 2);
  storeAll(cache, 5, 6);
  expect(cache.bytes).toBe(4 * BLOCK_CHUNKS * 8);
  cache.restore(pathOf(1, 2), 1, 1);
  storeAll(cache, 7);
  expect(cache.bytes).toBe(4 * BLOCK_CHUNKS * 8);
  // Only the first block of 1, 2 was used again, so its second one is the oldest of all.
  expect(cache.find(pathOf(1, 2))).toBe(BLOCK_CHUNKS);
  expect(cache.find(pathOf(5, 6))).toBe(2 * BLOCK_CHUNKS);
  expect(cache.find(pathOf(7))).toBe(BLOCK_CHUNKS);
  storeAll(cache, 8, 9);
  expect(cache.find(pathOf(5, 6))).toBe(0);
  expect(cache.find(pathOf(1))).toBe(BLOCK_CHUNKS);
});

it('stores of a prompt that exceeds its memory as much as fits, and never forgets its own beginning for it', () => {
  const { cache } = cacheOf(3);
  storeAll(cache, 1, 2);
  storeAll(cache, 1, 3, 4, 5, 6);
  expect(cache.find(pathOf(1, 3, 4, 5, 6))).toBe(3 * BLOCK_CHUNKS);
  expect(cache.find(pathOf(1, 2))).toBe(BLOCK_CHUNKS);
  storeAll(cache, 1, 3, 4, 5, 6);
  expect(cache.find(pathOf(1, 3, 4, 5, 6))).toBe(3 * BLOCK_CHUNKS);
});
