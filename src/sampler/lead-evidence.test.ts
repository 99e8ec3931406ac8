import { describe, expect, test } from 'vitest';
import { driveDecision, sourceOf } from '../../tests/reference/drive-decision.js';
import type { Chunk } from './decision.js';
import { isCertain, leadEvidence } from './lead-evidence.js';
import { pluralityDecision } from './plurality.js';

describe('evidence for a lead', () => {
  test.each([
    [0, 0],
    [3, 0],
    [0, 3],
    [7, 2],
    [12, 9],
  ])('of %d to %d is its integral', (ahead, behind) => {
    const steps = 20_000;
    let integral = 0;
    for (let i = 0; i < steps; i += 1) {
      const p = 0.5 + (i + 0.5) / (2 * steps);
      integral += (2 * p ** ahead * (1 - p) ** behind) / (2 * steps) / 0.5 ** (ahead + behind);
    }
    expect(leadEvidence(ahead, behind)).toBeCloseTo(integral, 5);
  });

  test('is a martingale where both are equally likely', () => {
    for (const [ahead, behind] of [
      [0, 0],
      [5, 1],
      [2, 8],
      [40, 31],
    ] as const) {
      const next = (leadEvidence(ahead + 1, behind) + leadEvidence(ahead, behind + 1)) / 2;
      expect(next / leadEvidence(ahead, behind)).toBeCloseTo(1, 9);
    }
  });

  test('stays a number in the longest counts', () => {
    expect(leadEvidence(4096, 0)).toBe(Number.POSITIVE_INFINITY);
    expect(leadEvidence(2100, 1996)).toBeGreaterThan(0);
    expect(leadEvidence(0, 4096)).toBeLessThan(1e-3);
  });
});

const ERROR = 0.1;
const TRIALS = 2000;
const MOST = 600;
/** The two likeliest are close: whoever looks again and again sees each of them lead. */
const CLOSE = [0.36, 0.34, 0.2, 0.1];

/** Share of trials in which a rule, asked after every draw, is first content with what is not the likeliest. */
function wrongShare(rule: (counts: readonly number[], leader: number, order: readonly number[]) => boolean) {
  let wrong = 0;
  for (let trial = 0; trial < TRIALS; trial += 1) {
    const draw = sourceOf(CLOSE, trial);
    const counts = CLOSE.map(() => 0);
    const order: number[] = [];
    for (let i = 0; i < MOST; i += 1) {
      const token = draw(i)[0]!;
      if (counts[token] === 0) order.push(token);
      counts[token]! += 1;
      const leader = counts.indexOf(Math.max(...counts));
      if (!rule(counts, leader, order)) continue;
      if (leader !== 0) wrong += 1;
      break;
    }
  }
  return wrong / TRIALS;
}

const behindOf = (counts: readonly number[], leader: number) =>
  Math.max(...counts.filter((_, token) => token !== leader));

/** P(Bin(n, 1/2) >= k): the test of one fixed number of draws. */
function binomialTail(n: number, k: number): number {
  let probability = 0.5 ** n;
  let tail = 0;
  for (let j = 0; j <= n; j += 1) {
    if (j >= k) tail += probability;
    probability *= (n - j) / (j + 1);
  }
  return tail;
}

describe('stopping early', () => {
  // Three standard deviations of a share of 0.1 among 2,000 are 0.02; a right rule errs far less often than it may.
  test('errs no more often than is allowed, looked at after every draw', () => {
    const share = wrongShare((counts, leader, order) =>
      isCertain(
        { ahead: counts[leader]!, behind: behindOf(counts, leader), rank: order.indexOf(leader) + 1 },
        ERROR,
      ),
    );
    expect(share).toBeLessThan(ERROR);
  });

  test('where a test for a fixed number of draws, asked again and again, errs more often', () => {
    const share = wrongShare((counts, leader) => {
      const behind = behindOf(counts, leader);
      return binomialTail(counts[leader]! + behind, counts[leader]!) <= ERROR;
    });
    expect(share).toBeGreaterThan(2 * ERROR);
  });

  test.each(['chunk', 'token'] as const)('keeps the error of a whole decision, %s law', law => {
    const first = (trial: number) => sourceOf([0.75, 0.25], trial);
    const second = (trial: number) => sourceOf([0.7, 0.3], TRIALS + trial);
    let wrong = 0;
    let early = 0;
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const [a, b] = [first(trial), second(trial)];
      const draw = (i: number): Chunk => [...a(i), ...b(i)];
      const { chunk, draws } = driveDecision(pluralityDecision(MOST, law, 1, ERROR), draw);
      if (draws >= MOST / 2) continue;
      early += 1;
      if (chunk.join() !== '0,0') wrong += 1;
    }
    expect(early).toBeGreaterThan(TRIALS / 2);
    expect(wrong / TRIALS).toBeLessThan(ERROR);
  });

  test.each(['chunk', 'token'] as const)('saves draws where one outcome is clear, %s law', law => {
    const draw = (i: number): Chunk => (i % 12 === 11 ? [1, i] : [5, 5]);
    const decide = (error: number) => driveDecision(pluralityDecision(200, law, 8, error), draw);
    expect(decide(0).draws).toBeGreaterThan(100);
    expect(decide(0.001)).toMatchObject({ chunk: [5, 5], fallback: false });
    expect(decide(0.001).draws).toBeLessThan(45);
  });

  test('never stops early where nothing leads', () => {
    const { draws } = driveDecision(pluralityDecision(200, 'chunk', 8, 0.5), i => [i]);
    expect(draws).toBe(200);
  });
});
