import { expect, it } from 'vitest';
import { tokenLogprobs } from './token-logprobs.js';

const logits = Float32Array.of(1, 4, -2, 4, 0.5);
const total = [1, 4, -2, 4, 0.5].reduce((sum, logit) => sum + Math.exp(logit), 0);
const logprob = (token: number) => Math.log(Math.exp(logits[token]!) / total);

it('gives the log-softmax of the token', () => {
  expect(tokenLogprobs(logits, 2, 0)).toEqual({ token: 2, logprob: expect.closeTo(logprob(2), 12), top: [] });
});

it('lists the most probable tokens, equal ones by their ids', () => {
  const { top } = tokenLogprobs(logits, 2, 3);
  expect(top.map(({ token }) => token)).toEqual([1, 3, 0]);
  for (const entry of top) expect(entry.logprob).toBeCloseTo(logprob(entry.token), 12);
});

it('lists no more tokens than there are', () => {
  expect(tokenLogprobs(logits, 0, 20).top.map(({ token }) => token)).toEqual([1, 3, 0, 4, 2]);
});

it('survives logits of any size', () => {
  const huge = Float32Array.of(10_000, 9_999);
  expect(tokenLogprobs(huge, 1, 1).logprob).toBeCloseTo(-1.3132616875, 6);
});
