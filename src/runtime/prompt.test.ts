import { expect, test } from 'vitest';
import { alignPrompt } from './prompt.js';

const B = 1;
const shape = { chunkSize: 4, vocabSize: 100, contextChunks: 3, bosTokenId: B };

test.each([
  { given: [], aligned: [B, B, B, B] },
  { given: [7], aligned: [B, B, B, 7] },
  { given: [7, 8, 9], aligned: [B, 7, 8, 9] },
  // A document begins with at least one BOS ...
  { given: [6, 7, 8, 9], aligned: [B, B, B, B, 6, 7, 8, 9] },
  // ... which may be the prompt's own.
  { given: [B, 7, 8, 9], aligned: [B, 7, 8, 9] },
  { given: [B, 7], aligned: [B, B, B, 7] },
])('$given becomes $aligned', ({ given, aligned }) => {
  expect(alignPrompt(given, shape)).toEqual({ tokens: aligned, given: [] });
});

test('a prompt that fills the context stays as it is', () => {
  const full = Array.from({ length: 12 }, (_, i) => 20 + i);
  expect(alignPrompt(full, shape).tokens).toEqual(full);
  expect(alignPrompt(full.slice(1), shape).tokens).toEqual([B, ...full.slice(1)]);
});

test('at one token a chunk, a prompt begins with one BOS', () => {
  const single = { ...shape, chunkSize: 1, contextChunks: 12 };
  expect(alignPrompt([7, 8], single).tokens).toEqual([B, 7, 8]);
  expect(alignPrompt([B, 7, 8], single).tokens).toEqual([B, 7, 8]);
  expect(alignPrompt([], single).tokens).toEqual([B]);
});

test.each([
  { prompt: [7, 8, 9], tokens: [B, B, B, B], given: [7, 8, 9] },
  // The chunk of BOS is the start that the prompt's own BOS stands for.
  { prompt: [B, B, 7], tokens: [B, B, B, B], given: [7] },
  { prompt: [B], tokens: [B, B, B, B], given: [] },
  { prompt: [6, 7, 8, 9, 5, B], tokens: [B, B, B, B, 6, 7, 8, 9], given: [5, B] },
  { prompt: [B, 7, 8, 9, 5], tokens: [B, 7, 8, 9], given: [5] },
  { prompt: [6, 7, 8, 9], tokens: [B, B, B, B, 6, 7, 8, 9], given: [] },
  { prompt: [], tokens: [B, B, B, B], given: [] },
])('under "condition" $prompt is $tokens, and $given for the first chunk', ({ prompt, ...aligned }) => {
  expect(alignPrompt(prompt, shape, 'condition')).toEqual(aligned);
});

test('under "condition" a prompt that fits leaves its chunk of BOS a place', () => {
  const long = Array.from({ length: 11 }, (_, i) => 20 + i);
  const aligned = { tokens: [B, B, B, B, ...long.slice(0, 8)], given: long.slice(8) };
  expect(alignPrompt(long, shape, 'condition')).toEqual(aligned);
});

test.each([[[100]], [[-1]], [[0.5]], [[Number.NaN]]])(
  'refuses the ids %j, naming the range',
  promptTokens => {
    expect(() => alignPrompt(promptTokens, shape)).toThrow(/integers from 0 to 99/);
  },
);

test('refuses a prompt that is longer than the context, naming both', () => {
  expect(() => alignPrompt(new Array(13).fill(5), shape)).toThrow(/13 tokens.*holds 12/);
});
