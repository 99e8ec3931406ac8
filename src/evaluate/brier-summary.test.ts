import { describe, expect, it } from 'vitest';
import { RandomStream } from '../sampler/uniform.js';
import { BrierTotals } from './brier-summary.js';

const score = (accuracy: number[], collision: number[]) => ({ accuracy, collision });

it('is the geometric mean of the mean scores, in percent', () => {
  const totals = new BrierTotals();
  totals.add(0, score([0.5, 0.25, 0.2, 0.1], [0.2, 0.1, 0.1, 0.1]));
  totals.add(1, score([0.25, 0.25, 0.1, 0.1], [0.2, 0.1, 0, 0]));
  const means = [0.55, 0.4, 0.25, 0.15];
  const { brier, brierlm, positions, documents } = totals.summary();
  expect(brier.map(value => value / 100)).toEqual(means.map(value => expect.closeTo(value, 12)));
  expect(brierlm).toBeCloseTo(100 * (0.55 * 0.4 * 0.25 * 0.15) ** 0.25, 10);
  expect([positions, documents]).toEqual([2, 2]);
});

it('is 0 without an error where a score is not positive, and has none for one document', () => {
  const totals = new BrierTotals();
  expect(totals.summary()).toMatchObject({ brierlm: 0, brierlmStderr: null, positions: 0 });
  totals.add(0, score([0.5, 0.5, 0.5, 0.5], [0, 0, 0, 0]));
  expect(totals.summary()).toMatchObject({ brierlm: 100, brierlmStderr: null });
  totals.add(1, score([0, 0, 0, 0], [1, 1, 1, 1]));
  expect(totals.summary()).toMatchObject({ brierlm: 0, brierlmStderr: null });
});

describe('the standard error', () => {
  const random = new RandomStream({ seed: 5, choice: 0, step: 0 });

  /** Documents of unequal length whose positions share a level: scores within a document go together. */
  function sample(documentCount: number): { document: number; values: number[] }[] {
    return Array.from({ length: documentCount }, (_, document) => {
      const level = 0.2 + 0.6 * random.next();
      return Array.from({ length: 2 + Math.floor(8 * random.next()) }, () => ({
        document,
        values: [level, 0.6 * level, 0.4 * level, 0.3 * level].map(p => Number(random.next() < p)),
      }));
    }).flat();
  }

  function summarize(positions: readonly { document: number; values: number[] }[]) {
    const totals = new BrierTotals();
    for (const { document, values } of positions) totals.add(document, score(values, [0, 0, 0, 0]));
    return totals.summary();
  }

  it('is near the jackknife over documents', () => {
    const positions = sample(60);
    const without = Array.from({ length: 60 }, (_, left) =>
      Math.log(summarize(positions.filter(({ document }) => document !== left)).brierlm),
    );
    const mean = without.reduce((sum, value) => sum + value, 0) / 60;
    const jackknife = Math.sqrt((59 / 60) * without.reduce((sum, value) => sum + (value - mean) ** 2, 0));
    const { brierlm, brierlmStderr } = summarize(positions);
    expect(brierlmStderr! / brierlm / jackknife).toBeCloseTo(1, 1);
  });

  /** The spread of 400 repetitions has a standard error of 3.5 %; 15 % are more than four of them. */
  it('is how much repetitions differ', () => {
    const runs = Array.from({ length: 400 }, () => summarize(sample(60)));
    const logs = runs.map(({ brierlm }) => Math.log(brierlm));
    const mean = logs.reduce((sum, value) => sum + value, 0) / logs.length;
    const spread = Math.sqrt(logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (logs.length - 1));
    const claimed = runs.reduce((sum, run) => sum + run.brierlmStderr! / run.brierlm, 0) / runs.length;
    expect(Math.abs(claimed / spread - 1)).toBeLessThan(0.15);
  });
});
