import { expect, it } from 'vitest';
import { GoldenFile } from '../../tests/reference/golden-file.js';
import { RandomStream } from '../sampler/uniform.js';
import { LONGEST_NGRAM, scoreNode } from './brier.js';

const lengths = Array.from({ length: LONGEST_NGRAM }, (_, index) => index + 1);

it('agrees with the scores that the reference recorded', () => {
  const golden = new GoldenFile('math');
  const draws = golden.ids('brier_draws');
  const target = golden.ids('brier_target');
  const half = draws.length / 2;
  const sums = lengths.map(() => 0);
  for (let at = 0; at < half; at += LONGEST_NGRAM) {
    const take = (values: number[], from: number) => values.slice(from, from + LONGEST_NGRAM);
    const pair = [take(draws, at), take(draws, half + at)];
    const { accuracy, collision } = scoreNode(pair, LONGEST_NGRAM, take(target, at));
    for (const n of sums.keys()) sums[n]! += 2 * accuracy[n]! - collision[n]!;
  }
  const positions = half / LONGEST_NGRAM;
  for (const [n, recorded] of golden.floats('brier').entries()) {
    expect(sums[n]! / positions).toBeCloseTo(recorded, 6);
  }
  golden.close();
});

it("is the paper's two-draw formula for two draws", () => {
  const random = new RandomStream({ seed: 3, choice: 0, step: 0 });
  const word = () => lengths.map(() => Math.floor(3 * random.next()));
  for (let trial = 0; trial < 500; trial += 1) {
    const [first, second, truth] = [word(), word(), word()];
    const { accuracy, collision } = scoreNode([first, second], LONGEST_NGRAM, truth);
    for (const n of lengths) {
      const same = (a: number[], b: number[]) => Number(a.slice(0, n).join() === b.slice(0, n).join());
      const paper = same(first, truth) + same(second, truth) - same(first, second);
      expect(2 * accuracy[n - 1]! - collision[n - 1]!).toBe(paper);
    }
  }
});

/** |z| > 4.5 has a probability below 7e-6, and there are 4 comparisons. */
it.each([2, 3, 8, 32])('has the mean 2 sum PQ - sum P^2 with %d draws', samples => {
  const model = [0.5, 0.3, 0.15, 0.05];
  const text = [0.1, 0.4, 0.3, 0.2];
  const wanted = model.reduce((sum, p, i) => sum + 2 * p * text[i]! - p * p, 0);
  const random = new RandomStream({ seed: samples, choice: 0, step: 0 });
  const draw = (law: number[]) => {
    let left = random.next();
    return [
      law.findIndex(p => {
        left -= p;
        return left < 0;
      }),
    ];
  };
  const trials = 4000;
  const scores = Array.from({ length: trials }, () => {
    const draws = Array.from({ length: samples }, () => draw(model));
    const { accuracy, collision } = scoreNode(draws, 1, draw(text));
    return 2 * accuracy[0]! - collision[0]!;
  });
  const mean = scores.reduce((sum, score) => sum + score, 0) / trials;
  const variance = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / (trials - 1);
  expect(Math.abs(mean - wanted)).toBeLessThan(4.5 * Math.sqrt(variance / trials));
});

it('tells apart the true chunk, the chunks that draws share, and the rest', () => {
  const draws = [
    [1, 2],
    [1, 3],
    [1, 2],
    [4, 4],
    [4, 4],
    [4, 4],
  ];
  const score = scoreNode(draws, 2, [1, 2]);
  expect(score.accuracy).toEqual([3 / 6, 2 / 6]);
  expect(score.collision).toEqual([(3 * 2 + 3 * 2) / 30, (2 * 1 + 3 * 2) / 30]);
  expect(score.truth).toEqual({ accuracy: 2 / 6, weight: 2 / 30, samples: 2 });
  expect(score.branches).toEqual([{ chunk: [4, 4], weight: 6 / 30, samples: 3 }]);
  expect(scoreNode(draws, 2, null).branches.map(branch => branch.chunk)).toEqual([
    [1, 2],
    [4, 4],
  ]);
  expect(scoreNode([[7]], 1, [7])).toMatchObject({ accuracy: [1], collision: [0], truth: { weight: 0 } });
});
