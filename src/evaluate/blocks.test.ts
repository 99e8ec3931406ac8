import { expect, it } from 'vitest';
import { commonLayout, cutDocuments, cutStream, defaultStride, settleLayout } from './blocks.js';

const bos = 99;
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
const layoutOf = (chunkSize: number, blockTokens: number) => ({
  chunkSize,
  bosTokenId: bos,
  blockTokens,
  stride: defaultStride(chunkSize),
});

it('spaces positions so that targets do not overlap', () => {
  expect([1, 2, 3, 4, 5, 8].map(defaultStride)).toEqual([4, 4, 6, 4, 5, 8]);
});

it('puts a chunk of BOS in front and scores only n-grams inside the text', () => {
  const [block, ...more] = cutDocuments([numbers(11)], layoutOf(2, 16));
  expect(more).toEqual([]);
  expect(block).toEqual({
    index: 0,
    unit: 0,
    tokens: [bos, bos, ...numbers(11)],
    starts: [2, 6],
    textTokens: 11,
  });
});

it.each([1, 2, 4])('scores the same places of a text for every K: %d', chunkSize => {
  const documents = [numbers(3), numbers(30), numbers(9)];
  const places = [...cutDocuments(documents, layoutOf(chunkSize, 16))].map(({ unit, tokens, starts }) => ({
    unit,
    targets: starts.map(start => tokens.slice(start, start + 4)),
    contexts: starts.map(start => tokens.slice(chunkSize, start)),
  }));
  expect(places.map(({ unit }) => unit)).toEqual([1, 1, 2]);
  expect(places.map(({ targets }) => targets.map(target => target[0]))).toEqual([
    [0, 4, 8, 12],
    [20, 24],
    [0, 4],
  ]);
  expect(places[1]!.contexts[0]).toEqual([16, 17, 18, 19]);
});

it('never needs more chunks of context than the model has', () => {
  for (const chunkSize of [1, 2, 3, 4, 5, 8]) {
    const span = Math.ceil(4 / chunkSize);
    const model = { chunkSize, bosTokenId: bos, contextTokens: 240 };
    const layout = settleLayout(model, {});
    for (const block of cutDocuments([numbers(1000)], layout)) {
      expect(block.starts.at(-1)! / chunkSize + span - 1).toBeLessThanOrEqual(240 / chunkSize);
    }
  }
});

it('finds one layout for models of different chunks and contexts', () => {
  const model = (chunkSize: number, contextTokens: number) => ({ chunkSize, bosTokenId: bos, contextTokens });
  expect(commonLayout([model(2, 1024), model(1, 514)], {})).toEqual({ stride: 4, blockTokens: 512 });
  expect(commonLayout([model(3, 300), model(4, 400)], {})).toEqual({ stride: 12, blockTokens: 300 });
  expect(commonLayout([model(2, 1024), model(1, 514)], { stride: 2, blockTokens: 100 })).toEqual({
    stride: 2,
    blockTokens: 100,
  });
  expect(() => commonLayout([model(2, 1024), model(4, 512)], { stride: 2 })).toThrow('multiple of 4');
});

it('cuts a joined stream anywhere, like the published evaluation', () => {
  const blocks = [...cutStream([numbers(5), numbers(6)], layoutOf(4, 8))];
  expect(blocks.map(block => block.tokens)).toEqual([
    [bos, 0, 1, 2, 3, 4, bos, 0],
    // The rest, 5 tokens, holds no whole n-gram behind its first chunk.
  ]);
  expect(blocks[0]).toMatchObject({ unit: 0, starts: [4], textTokens: 8 });
});

it.each<[object, RegExp]>([
  [
    { stride: 3 },
    /^Positions 3 tokens apart do not fall on the borders of chunks of 2; make --stride a multiple of 2\.$/,
  ],
  [
    { blockTokens: 10 },
    /^A block of 10 tokens does not work .* --block must be a multiple of 4 from 4 to 64\.$/,
  ],
  [{ blockTokens: 68 }, /from 4 to 64/],
])('refuses %j with one sentence', (wanted, sentence) => {
  const model = { chunkSize: 2, bosTokenId: bos, contextTokens: 66 };
  expect(() => settleLayout(model, wanted)).toThrow(sentence);
});
