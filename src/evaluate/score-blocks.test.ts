/** Contexts, continuations and the cache, on a language whose scores are known. */
import { describe, expect, it } from 'vitest';
import { type ChainLaw, ChainModel, exactBrier } from '../../tests/reference/known-chain.js';
import { type Block, cutDocuments, defaultStride } from './blocks.js';
import type { PositionScore } from './brier.js';
import { scoreBlocks } from './score-blocks.js';

const law: ChainLaw = [
  [0.8, 0.1, 0.1],
  [0.3, 0.4, 0.3],
  [0.05, 0.35, 0.6],
];

const text = [0, 1, 1, 2, 0, 0, 1, 2, 2, 1, 0, 2, 1, 1, 0, 0, 2, 2, 1, 0, 1, 2, 0, 1, 1, 0, 2, 1];

function blocksOf(chunkSize: number, copies: number): Block[] {
  const layout = { chunkSize, bosTokenId: 0, blockTokens: 48, stride: defaultStride(chunkSize) };
  return [...cutDocuments(new Array<number[]>(copies).fill(text), layout)];
}

async function run(model: ChainModel, blocks: readonly Block[], samples: number) {
  const found = new Map<number, readonly PositionScore[]>();
  await scoreBlocks(model, blocks, { samples, onBlock: (block, scores) => found.set(block.index, scores) });
  return blocks.map(block => found.get(block.index)!);
}

const brier = (score: PositionScore) => score.accuracy.map((hit, n) => 2 * hit - score.collision[n]!);

/** What a position's scores must be: `exact` lengths have no spread at all. */
function compare(blocks: readonly Block[], scores: (readonly PositionScore[])[], exactLengths: number): void {
  const copies = blocks.length;
  for (const [position, start] of blocks[0]!.starts.entries()) {
    const { tokens } = blocks[0]!;
    const wanted = exactBrier(law, tokens.slice(0, start), tokens.slice(start, start + 4));
    for (const [n, exact] of wanted.entries()) {
      const values = scores.map(block => brier(block[position]!)[n]!);
      const mean = values.reduce((sum, value) => sum + value, 0) / copies;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (copies - 1);
      const tolerance = n < exactLengths ? 1e-6 : 4.5 * Math.sqrt(variance / copies) + 1e-6;
      expect(Math.abs(mean - exact), `position ${position}, ${n + 1} tokens`).toBeLessThan(tolerance);
    }
  }
}

/** |z| > 4.5 has a probability below 7e-6, and there are 28 comparisons. */
it.each([1, 3])('scores by probabilities what it scores by draws, with %d paths', async samples => {
  const blocks = blocksOf(1, 600);
  const model = new ChainModel(law, { chunkSize: 1, rowCount: 5, seed: samples, exact: true });
  compare(blocks, await run(model, blocks, samples), 1);
  expect(model.fedContexts.length).toBeGreaterThan(0);
});

describe.each([1, 2, 3, 4, 8])('K = %d', chunkSize => {
  /** |z| > 4.5 has a probability below 7e-6; at most 28 comparisons for each K and number of draws: below 1e-3. */
  it.each([2, 6])('scores every position and length by the law with %d draws', async samples => {
    const copies = 1200;
    const blocks = blocksOf(chunkSize, copies);
    const model = new ChainModel(law, { chunkSize, rowCount: 5, seed: samples });
    compare(blocks, await run(model, blocks, samples), 0);
    expect(model.fedContexts.length > 0).toBe(chunkSize < 4);
  });

  it('leaves the text only within the n-gram that is looked at', async () => {
    const blocks = blocksOf(chunkSize, 20);
    const model = new ChainModel(law, { chunkSize, rowCount: 3, seed: 2 });
    await run(model, blocks, 8);
    const span = Math.ceil(4 / chunkSize);
    for (const context of model.fedContexts) {
      const kept = Math.max(0, context.length - (span - 1) * chunkSize);
      expect(context.slice(0, kept)).toEqual(blocks[0]!.tokens.slice(0, kept));
      expect(context).not.toEqual(blocks[0]!.tokens.slice(0, context.length));
    }
  });

  it('gives a block the same scores in any company', async () => {
    const blocks = blocksOf(chunkSize, 7);
    const alone = await run(new ChainModel(law, { chunkSize, rowCount: 1, seed: 1 }), blocks, 4);
    const together = await run(new ChainModel(law, { chunkSize, rowCount: 3, seed: 1 }), blocks, 4);
    expect(together).toEqual(alone);
    expect(new Set(alone.map(scores => JSON.stringify(scores))).size).toBe(7);
  });
});
