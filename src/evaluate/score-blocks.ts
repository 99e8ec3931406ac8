/**
 * Scores blocks: all contexts of a block's own text after one prefill, then the contexts behind chunks that draws
 * agreed on but the text does not hold (only where an n-gram spans several chunks, K < 4).
 *
 * An n-gram longer than a chunk is drawn chunk by chunk, each draw going on from its own first chunks. Draws count
 * only while they agree with the text or with each other, so only those contexts are looked at: the text's own states
 * are known, and a chunk shared by two draws or more costs one decode step. Such steps go through a row's positions
 * from the last to the first: each overwrites cells of the cache behind its position, which nobody needs any more.
 * Rows hold different blocks and step together.
 */
import type { BlockModel, NodeQuery } from './block-model.js';
import type { Block } from './blocks.js';
import { LONGEST_NGRAM, type NodeScore, type PositionScore } from './brier.js';

export interface ScoreOptions {
  /** Draws at a position. */
  readonly samples: number;
  /** Is told each block's scores, in the order of `starts`, as soon as it is done. */
  readonly onBlock: (block: Block, scores: readonly PositionScore[]) => void;
}

/** Scores all blocks. What a block scores does not depend on the others. */
export async function scoreBlocks(
  model: BlockModel,
  blocks: Iterable<Block>,
  options: ScoreOptions,
): Promise<void> {
  const waiting = blocks[Symbol.iterator]();
  const rows = new Array<BlockScore | null>(model.rowCount).fill(null);
  for (;;) {
    for (const [row, running] of rows.entries()) {
      rows[row] = running ?? (await startNext(model, row, waiting, options));
    }
    const width = rows.findLastIndex(running => running !== null) + 1;
    if (width === 0) return;
    await stepRows(model, rows.slice(0, width));
    for (const [row, running] of rows.entries()) {
      if (running === null || running.hasWork) continue;
      options.onBlock(running.block, running.scores);
      rows[row] = null;
    }
  }
}

/** Puts blocks into a row until one has work for it; blocks without any are done at once. Null at the end. */
async function startNext(
  model: BlockModel,
  row: number,
  waiting: Iterator<Block>,
  options: ScoreOptions,
): Promise<BlockScore | null> {
  for (let next = waiting.next(); !next.done; next = waiting.next()) {
    const score = new BlockScore(next.value, model.chunkSize, options.samples);
    await model.prefill(row, next.value, score.chunkCount);
    for (let level = 0; level < score.span; level += 1) {
      const queries = score.textQueries(level);
      score.takeText(level, queries, await model.scoreText(queries));
    }
    if (score.hasWork) return score;
    options.onBlock(score.block, score.scores);
  }
  return null;
}

/** One decode step over the rows, and the scores of the contexts that it made. */
async function stepRows(model: BlockModel, rows: readonly (BlockScore | null)[]): Promise<void> {
  await model.feed(rows.map(running => running?.nextFeed() ?? null));
  const queries = rows.map((running, row) => running?.fedQuery(row) ?? null);
  const scores = await model.scoreFed(queries.filter(query => query !== null));
  let index = 0;
  for (const [row, query] of queries.entries()) {
    if (query === null) continue;
    rows[row]?.takeFed(scores[index] as NodeScore);
    index += 1;
  }
}

/** A context off the text that is still to be looked at. */
interface Excursion {
  /** Index into the block's starts. */
  readonly start: number;
  /** Chunks drawn so far, `chunk` included. */
  readonly level: number;
  /** The last of them, and the position in the cache where it belongs. */
  readonly chunk: readonly number[];
  readonly position: number;
  /** Estimate of the squared probability of the chunks drawn so far. */
  readonly weight: number;
  /** Draws that gave them. */
  readonly samples: number;
}

/** What the text itself says at one level of one position. */
interface TextNode {
  /** Estimates of P(y) and P(y)^2 of the true chunks so far. */
  readonly accuracy: number;
  readonly weight: number;
  readonly samples: number;
}

/** The scores of one block while they are made. */
class BlockScore {
  readonly block: Block;
  /** Chunks that the longest n-gram spans. */
  readonly span: number;
  readonly scores: { readonly accuracy: number[]; readonly collision: number[] }[];
  readonly #chunkSize: number;
  readonly #samples: number;
  /** By start: how the text's own chunks fared at the level that comes next. */
  readonly #text: TextNode[];
  /** Numbers of contexts, by start. */
  readonly #nodeCounts: number[];
  /** The next one last. */
  readonly #excursions: Excursion[] = [];

  constructor(block: Block, chunkSize: number, samples: number) {
    const zeros = () => new Array<number>(LONGEST_NGRAM).fill(0);
    this.block = block;
    this.span = Math.ceil(LONGEST_NGRAM / chunkSize);
    this.scores = block.starts.map(() => ({ accuracy: zeros(), collision: zeros() }));
    this.#chunkSize = chunkSize;
    this.#samples = samples;
    this.#text = block.starts.map(() => ({ accuracy: 1, weight: 1, samples }));
    this.#nodeCounts = block.starts.map(() => 0);
  }

  /** Chunks of the block that are contexts: all up to the last one that is scored. */
  get chunkCount(): number {
    return (this.block.starts.at(-1) as number) / this.#chunkSize + this.span - 1;
  }

  get hasWork(): boolean {
    return this.#excursions.length > 0;
  }

  /** The contexts of the text, `level` chunks behind each start, as far as draws followed the text that far. */
  textQueries(level: number): (NodeQuery & { readonly start: number })[] {
    const { block } = this;
    const length = this.#lengthAt(level);
    return block.starts.flatMap((offset, start) => {
      const node = this.#text[start] as TextNode;
      if (node.accuracy === 0) return [];
      const from = offset + level * this.#chunkSize;
      return {
        start,
        state: from / this.#chunkSize - 1,
        samples: this.#samplesAt(level, node.samples),
        length,
        truth: block.tokens.slice(from, from + length),
        block: block.index,
        node: this.#nextNode(start),
      };
    });
  }

  /** Takes the text's contexts of one level, and what leaves the text behind them. */
  takeText(level: number, queries: readonly { readonly start: number }[], found: readonly NodeScore[]): void {
    const dropped = { accuracy: 0, weight: 0, samples: 0 };
    const next = this.#text.map((): TextNode => dropped);
    for (const [index, { start }] of queries.entries()) {
      const score = found[index] as NodeScore;
      const before = this.#text[start] as TextNode;
      this.#add(start, level, before, score);
      next[start] = {
        accuracy: before.accuracy * score.truth.accuracy,
        weight: before.weight * score.truth.weight,
        samples: score.truth.samples,
      };
      const position = (this.block.starts[start] as number) / this.#chunkSize + level;
      this.#push(score, { start, level, position, weight: before.weight });
    }
    for (const [start, node] of next.entries()) this.#text[start] = node;
    if (level === this.span - 1) this.#excursions.sort((a, b) => a.position - b.position);
  }

  /** The next chunk to be fed to this block's row. */
  nextFeed(): Excursion {
    return this.#excursions.at(-1) as Excursion;
  }

  /** What is wanted behind it. */
  fedQuery(row: number): NodeQuery {
    const { start, level, samples } = this.nextFeed();
    return {
      state: row,
      samples: this.#samplesAt(level, samples),
      length: this.#lengthAt(level),
      truth: null,
      block: this.block.index,
      node: this.#nextNode(start),
    };
  }

  /** Takes what was found behind it; chunks that go on from there come next, while its cell is still there. */
  takeFed(score: NodeScore): void {
    const { start, level, position, weight } = this.#excursions.pop() as Excursion;
    this.#add(start, level, { accuracy: 0, weight }, score);
    this.#push(score, { start, level, position: position + 1, weight });
  }

  #push(score: NodeScore, from: { start: number; level: number; position: number; weight: number }): void {
    if (from.level === this.span - 1 || from.weight === 0) return;
    for (const { chunk, weight, samples } of score.branches) {
      this.#excursions.push({ ...from, level: from.level + 1, chunk, weight: from.weight * weight, samples });
    }
  }

  #add(
    start: number,
    level: number,
    before: { readonly accuracy: number; readonly weight: number },
    score: NodeScore,
  ): void {
    const sums = this.scores[start]!;
    for (let i = 0; i < this.#lengthAt(level); i += 1) {
      sums.accuracy[level * this.#chunkSize + i]! += before.accuracy * score.accuracy[i]!;
      sums.collision[level * this.#chunkSize + i]! += before.weight * score.collision[i]!;
    }
  }

  /** Tokens that the longest n-gram has in the chunk at this level. */
  #lengthAt(level: number): number {
    return Math.min(this.#chunkSize, LONGEST_NGRAM - level * this.#chunkSize);
  }

  /** The last level costs little and gets all draws; before it, as many go on as came there. */
  #samplesAt(level: number, arrived: number): number {
    return level === this.span - 1 ? this.#samples : arrived;
  }

  #nextNode(start: number): number {
    const node = this.#nodeCounts[start] as number;
    this.#nodeCounts[start] = node + 1;
    return start * NODES_PER_START + node;
  }
}

/** More contexts than a position can have: at most 4 levels of as many as there are draws. */
const NODES_PER_START = 2 ** 15;
