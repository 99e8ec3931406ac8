import { describe, expect, test } from 'vitest';
import { expectedPoolLaw, poolLaw } from '../../tests/reference/algorithm-2.js';
import { chiSquareProbability, tally, twoSampleProbability } from '../../tests/reference/chi-square.js';
import { driveDecision, sourceOf } from '../../tests/reference/drive-decision.js';
import { FALSE_ALARM, randomOf } from '../../tests/reference/law-decision.js';
import type { Chunk, ChunkDecision } from './decision.js';
import { drawnPlaces, lazyPoolDecision } from './lazy-pool.js';
import { RandomStream } from './uniform.js';
import { weightedChoice } from './weighted-choice.js';

const lazy = (poolSize: number, n: number, trial: number) => lazyPoolDecision(poolSize, n, randomOf(trial));
const letters = (text: string): Chunk[] => [...text].map(letter => [letter.charCodeAt(0)]);

/** The chunk that wins, with a pool whose places are shuffled: Algorithm 2 knows no order, the lazy one draws in order. */
function winnerOf(pool: readonly Chunk[], n: number, trial: number): string {
  const random = new RandomStream({ seed: trial, choice: 1, step: 1 });
  const shuffled = pool.map(chunk => ({ chunk, key: random.next() })).toSorted((a, b) => a.key - b.key);
  return driveDecision(lazy(pool.length, n, trial), i => shuffled[i]!.chunk).chunk.join();
}

/** A wrong variant: takes the first repetition of n candidates in the order of drawing. */
function* firstRepetition(poolSize: number, n: number): ChunkDecision {
  const counts = new Map<string, number>();
  let last: Chunk = [];
  for (let draws = 1; draws <= poolSize; draws += 1) {
    last = (yield 1)[0]!;
    const count = (counts.get(last.join()) ?? 0) + 1;
    counts.set(last.join(), count);
    if (count === n) return { chunk: last, draws, fallback: false };
  }
  return { chunk: last, draws: poolSize, fallback: true };
}

describe('on a given pool', () => {
  test("the paper's example: A, C, A, D, B, E, A, F, B, G at n = 2 gives A 3/4 and B 1/4", () => {
    const pool = letters('ACADBEAFBG');
    const law = new Map([
      ['65', 3 / 4],
      ['66', 1 / 4],
    ]);
    expect(poolLaw(pool, 2)).toEqual(law);
    const counts = tally(40_000, trial => winnerOf(pool, 2, trial));
    expect(chiSquareProbability(counts, law)).toBeGreaterThan(FALSE_ALARM);
  });

  test.each([2, 3, 5])('a pool without repetitions gives every chunk alike (n = %i)', n => {
    const pool = letters('ABCDEFGH');
    const law = new Map(pool.map(chunk => [chunk.join(), 1 / 8] as const));
    // In the pool's own order: all of it is drawn, and every place must win as often as the others.
    const counts = tally(20_000, trial => driveDecision(lazy(8, n, trial), i => pool[i]!).chunk.join());
    expect(chiSquareProbability(counts, law)).toBeGreaterThan(FALSE_ALARM);
  });

  test.each([1, 2, 3, 9])('a pool of one chunk gives that chunk, after n candidates (n = %i)', n => {
    const decision = lazyPoolDecision(6, n, randomOf(0), () => 1);
    const draws = Math.min(n, 6);
    expect(driveDecision(decision, () => [65])).toEqual({
      chunk: [65],
      draws,
      drawsNeeded: draws,
      fallback: n > 6,
    });
  });

  test('the cascade: where nothing appears three times, pairs decide', () => {
    const pool = letters('AABBCDEF');
    const choice = driveDecision(lazy(8, 3, 1), i => pool[i]!);
    expect(choice.fallback).toBe(true);
    const law = new Map([
      ['65', 1 / 2],
      ['66', 1 / 2],
    ]);
    const counts = tally(20_000, trial => winnerOf(pool, 3, trial));
    expect(chiSquareProbability(counts, law)).toBeGreaterThan(FALSE_ALARM);
  });
});

describe('on a source', () => {
  test.each([
    { law: [0.5, 0.3, 0.2], poolSize: 5, n: 2 },
    { law: [0.5, 0.3, 0.2], poolSize: 6, n: 3 },
    { law: [0.4, 0.3, 0.2, 0.1], poolSize: 4, n: 4 },
    { law: [0.25, 0.25, 0.25, 0.25], poolSize: 4, n: 4 },
    { law: [0.6, 0.3, 0.1], poolSize: 3, n: 5 },
    { law: [0.7, 0.2, 0.1], poolSize: 7, n: 1 },
    { law: [0.65, 0.35], poolSize: 13, n: 7 },
  ])(
    'has the law of Algorithm 2, averaged over all pools: P = $law, N = $poolSize, n = $n',
    ({ law, poolSize, n }) => {
      const draw = sourceOf(law, 5);
      const counts = tally(30_000, trial => driveDecision(lazy(poolSize, n, trial), draw).chunk.join());
      expect(chiSquareProbability(counts, expectedPoolLaw(law, poolSize, n))).toBeGreaterThan(FALSE_ALARM);
    },
  );

  test('which the first repetition has not: this test can fail', () => {
    const law = [0.5, 0.3, 0.2];
    const draw = sourceOf(law, 5);
    const counts = tally(30_000, () => driveDecision(firstRepetition(10, 3), draw).chunk.join());
    expect(chiSquareProbability(counts, expectedPoolLaw(law, 10, 3))).toBeLessThan(FALSE_ALARM);
  });

  const zipf = (size: number) => {
    const weights = Array.from({ length: size }, (_, i) => (i + 1) ** -1.2);
    const total = weights.reduce((a, b) => a + b);
    return weights.map(weight => weight / total);
  };
  test.each([
    { name: 'Zipf', law: zipf(50), poolSize: 8, n: 2, trials: 20_000 },
    { name: 'Zipf', law: zipf(50), poolSize: 40, n: 3, trials: 8000 },
    { name: 'Zipf', law: zipf(50), poolSize: 200, n: 5, trials: 3000 },
    { name: 'flat', law: new Array(400).fill(1 / 400), poolSize: 30, n: 2, trials: 20_000 },
    { name: 'peaked', law: [0.6, ...new Array(10).fill(0.04)], poolSize: 20, n: 5, trials: 10_000 },
  ])('agrees with Algorithm 2 on a $name law, N = $poolSize, n = $n', ({ law, poolSize, n, trials }) => {
    const [drawLazy, drawPool] = [sourceOf(law, 11), sourceOf(law, 12)];
    const random = randomOf(99);
    const lazily = tally(trials, trial => driveDecision(lazy(poolSize, n, trial), drawLazy).chunk.join());
    const fully = tally(trials, () => {
      const winners = poolLaw(
        Array.from({ length: poolSize }, (_, i) => drawPool(i)),
        n,
      );
      return [...winners.keys()][weightedChoice([...winners.values()], random.next())]!;
    });
    expect(twoSampleProbability(lazily, fully)).toBeGreaterThan(FALSE_ALARM);
  });
});

describe('cost', () => {
  const meanDraws = (law: number[], poolSize: number, n: number) => {
    const draw = sourceOf(law, 3);
    let draws = 0;
    for (let trial = 0; trial < 2000; trial += 1) {
      const decision = lazyPoolDecision(poolSize, n, randomOf(trial), () => 1);
      draws += driveDecision(decision, draw).draws;
    }
    return draws / 2000;
  };

  test('a chunk that is nearly certain costs about n candidates of 200', () => {
    expect(meanDraws([0.97, 0.02, 0.01], 200, 2)).toBeLessThan(2.3);
    expect(meanDraws([0.97, 0.02, 0.01], 200, 3)).toBeLessThan(3.4);
  });

  test('a chunk law with collision S costs about n / S, and the whole pool at most', () => {
    // Ten equal chunks, n = 2: S = 1/10.
    expect(meanDraws(new Array(10).fill(0.1), 200, 2)).toBeGreaterThan(10);
    expect(meanDraws(new Array(10).fill(0.1), 200, 2)).toBeLessThan(21);
    expect(driveDecision(lazy(50, 2, 0), candidate => [candidate]).draws).toBe(50);
  });
});

test('how wishes are grouped does not change the choice', () => {
  const law = [0.3, 0.2, 0.1, ...new Array(40).fill(0.01)];
  for (let trial = 0; trial < 300; trial += 1) {
    const n = 2 + (trial % 4);
    const choices = [() => 1, () => 7, () => 1000, (drawn: number) => 1 + (drawn % 5)].map(roundSize => {
      const decision = lazyPoolDecision(60, n, randomOf(trial), roundSize);
      return driveDecision(decision, sourceOf(law, trial));
    });
    expect(new Set(choices.map(({ chunk }) => chunk.join())).size).toBe(1);
    expect(new Set(choices.map(({ fallback }) => fallback)).size).toBe(1);
  }
});

test('large pools and large n stay finite', () => {
  const draw = sourceOf(new Array(50).fill(0.02), 1);
  for (const n of [2, 50, 1000, 5000]) {
    const choice = driveDecision(lazy(4096, n, n), draw);
    expect(choice.chunk.length).toBe(1);
    expect(choice.fallback).toBe(n > 200);
  }
});

test.each([
  {
    count: 4,
    left: 5,
    m: 3,
    ways: [
      [1, 4 * 10],
      [2, 6 * 5],
      [3, 4],
    ],
  },
  {
    count: 6,
    left: 2,
    m: 4,
    ways: [
      [2, 15],
      [3, 20 * 2],
      [4, 15],
    ],
  },
  { count: 1, left: 9, m: 2, ways: [[1, 9]] },
] as const)(
  'a random subset of $m touches as many of $count drawn places as the ways to choose them',
  ({ count, left, m, ways }) => {
    const total = ways.reduce((sum, [, n]) => sum + n, 0);
    const law = new Map(ways.map(([j, n]) => [String(j), n / total] as const));
    const counts = tally(10_000, trial => String(drawnPlaces(count, left, m, randomOf(trial))));
    expect(chiSquareProbability(counts, law)).toBeGreaterThan(FALSE_ALARM);
  },
);
