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
  expect(alignPrompt(given, shape)).toEqual(aligned);
});

test('a prompt that fills the context stays as it is', () => {
  const full = Array.from({ length: 12 }, (_, i) => 20 + i);
  expect(alignPrompt(full, shape)).toEqual(full);
  expect(alignPrompt(full.slice(1), shape)).toEqual([B, ...full.slice(1)]);
});

test('at one token a chunk, a prompt begins with one BOS', () => {
  const single = { ...shape, chunkSize: 1, contextChunks: 12 };
  expect(alignPrompt([7, 8], single)).toEqual([B, 7, 8]);
  expect(alignPrompt([B, 7, 8], single)).toEqual([B, 7, 8]);
  expect(alignPrompt([], single)).toEqual([B]);
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
