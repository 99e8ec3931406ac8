import { expect, it } from 'vitest';
import type { ChoiceDelta } from '../generation/completion-run.js';
import { chooseBest } from './best-of.js';

const VOCABULARY = 100;

const delta = (tokenIds: readonly number[], more: Partial<ChoiceDelta> = {}): ChoiceDelta => ({
  index: 0,
  text: '',
  tokenIds,
  finishReason: null,
  stopReason: null,
  chunk: null,
  ...more,
});

const scored = (...logprobs: readonly number[]): ChoiceDelta[] =>
  logprobs.map(logprob => delta([1], { logprobs: [{ token: 1, logprob, top: [] }] }));

/** Deltas of a CALM whose chunks have `[count, of]` for each token. */
function counted(delivered: number, ...counts: readonly (readonly [number, number])[]): ChoiceDelta[] {
  const statistics = counts.map(([count, of]) => ({
    count,
    of,
    probability: of === 0 ? null : count / of,
    interval: [0, 1] as [number, number],
  }));
  const chunk = { statistics } as unknown as ChoiceDelta['chunk'];
  return [delta(Array(delivered).fill(1), { chunk })];
}

it('ranks by the mean log-probability a token, not by the sum', () => {
  const [long, short, bad] = [scored(-1, -1, -1, -1), scored(-2), scored(-0.5, -9)];
  expect(chooseBest([bad, short, long], 2, VOCABULARY)).toEqual([long, short]);
});

it('keeps the order of equal choices, and of all where none is left out', () => {
  const [a, b, c] = [scored(-1), scored(-1), scored(-0.5)];
  expect(chooseBest([a, b, c], 3, VOCABULARY)).toEqual([a, b, c]);
  expect(chooseBest([a, b], 1, VOCABULARY)).toEqual([a]);
});

it('puts a choice without tokens last', () => {
  expect(chooseBest([[], scored(-50)], 1, VOCABULARY)).toEqual([scored(-50)]);
});

it('ranks the chunks of a CALM by how often fresh candidates go on with their tokens', () => {
  const likely = counted(2, [90, 100], [80, 90]);
  const rare = counted(2, [2, 100], [1, 2]);
  const never = counted(2, [0, 100], [0, 0]);
  expect(chooseBest([never, rare, likely], 2, VOCABULARY)).toEqual([likely, rare]);
});

it('takes no candidate for a worse sign than silence', () => {
  // No candidate out of a hundred went on so, against none that could have.
  const [refuted, unknown] = [counted(1, [0, 100]), counted(1, [0, 0])];
  expect(chooseBest([refuted, unknown], 1, VOCABULARY)).toEqual([unknown]);
});

it('passes over what was cut off behind a stop or a limit', () => {
  const cut = counted(1, [50, 100], [0, 50]);
  const whole = counted(2, [40, 100], [16, 40]);
  expect(chooseBest([whole, cut], 1, VOCABULARY)).toEqual([cut]);
});
