import { describe, expect, it } from 'vitest';
import { RandomStream } from '../sampler/uniform.js';
import { brierRatio } from './brier-ratio.js';
import { type BrierSummary, BrierTotals } from './brier-summary.js';

const nothing = [0, 0, 0, 0];

function summaryOf(positions: readonly (readonly [document: number, accuracy: number[]])[]): BrierSummary {
  const totals = new BrierTotals();
  for (const [document, accuracy] of positions) totals.add(document, { accuracy, collision: nothing });
  return totals.summary();
}

it('is one without an error for a model and itself', () => {
  const summary = summaryOf([
    [0, [0.5, 0.4, 0.3, 0.2]],
    [1, [0.3, 0.2, 0.2, 0.1]],
    [1, [0.6, 0.1, 0.1, 0.1]],
  ]);
  expect(brierRatio(summary, summary)).toEqual({ ratio: 1, ratioStderr: 0 });
});

it('has no error where one model is always the same part of the other', () => {
  const whole = [0.8, 0.4, 0.6, 0.2].map(level => [level, level / 2, level / 4, level / 8]);
  const one = summaryOf(whole.map((accuracy, document) => [document, accuracy.map(value => value / 2)]));
  const other = summaryOf(whole.map((accuracy, document) => [document, accuracy]));
  const { ratio, ratioStderr } = brierRatio(one, other);
  expect(ratio).toBeCloseTo(0.5, 12);
  expect(ratioStderr).toBeCloseTo(0, 12);
  expect(one.brierlmStderr).toBeGreaterThan(0.1 * one.brierlm);
});

it('is null where a score is 0, and refuses other places', () => {
  const one = summaryOf([
    [0, [0.5, 0.4, 0.3, 0.2]],
    [1, [0.5, 0.4, 0.3, 0.2]],
  ]);
  const zero = summaryOf([
    [0, nothing],
    [1, nothing],
  ]);
  expect(brierRatio(one, zero)).toEqual({ ratio: null, ratioStderr: null });
  expect(brierRatio(zero, one)).toEqual({ ratio: null, ratioStderr: null });
  expect(() => brierRatio(one, summaryOf([[0, [1, 1, 1, 1]]]))).toThrow(
    'The models were scored at 2 and 1 positions; compare them at one --block and --stride.',
  );
});

describe('the standard error', () => {
  const random = new RandomStream({ seed: 6, choice: 0, step: 0 });

  /** Two models whose hits share the document's level, and so go together. */
  function pair(): [BrierSummary, BrierSummary] {
    const positions = Array.from({ length: 60 }, (_, document) => {
      const level = 0.2 + 0.6 * random.next();
      return Array.from({ length: 2 + Math.floor(8 * random.next()) }, () => ({ document, level }));
    }).flat();
    const hits = (part: number) =>
      summaryOf(
        positions.map(({ document, level }) => [
          document,
          [1, 0.6, 0.4, 0.3].map(share => Number(random.next() < part * share * level)),
        ]),
      );
    return [hits(0.9), hits(1)];
  }

  /** The spread of 400 repetitions has a standard error of 3.5 %; 15 % are more than four of them. */
  it('is how much the ratio differs between repetitions, less than the scores apart would make it', () => {
    const runs = Array.from({ length: 400 }, () => {
      const [one, other] = pair();
      const { ratio, ratioStderr } = brierRatio(one, other);
      const apart = Math.hypot(one.brierlmStderr! / one.brierlm, other.brierlmStderr! / other.brierlm);
      return { log: Math.log(ratio!), claimed: ratioStderr! / ratio!, apart };
    });
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const center = mean(runs.map(({ log }) => log));
    const spread = Math.sqrt(mean(runs.map(({ log }) => (log - center) ** 2)));
    const claimed = mean(runs.map(run => run.claimed));
    expect(Math.abs(claimed / spread - 1)).toBeLessThan(0.15);
    expect(claimed).toBeLessThan(0.95 * mean(runs.map(run => run.apart)));
    expect(center).toBeCloseTo(Math.log(0.9), 1);
  });
});
