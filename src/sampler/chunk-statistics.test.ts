import { describe, expect, test } from 'vitest';
import { driveDecision } from '../../tests/reference/drive-decision.js';
import { tokenStatistics, wilsonInterval, withStatistics } from './chunk-statistics.js';
import type { Chunk } from './decision.js';
import { startDecision } from './start-decision.js';
import { RandomStream } from './uniform.js';

test('counts the chosen tokens along the tree of the fresh candidates', () => {
  const fresh: Chunk[] = [
    [1, 2, 3],
    [1, 2, 4],
    [1, 5, 3],
    [2, 2, 3],
  ];
  expect(tokenStatistics([1, 2, 3], fresh)).toMatchObject([
    { count: 3, of: 4, probability: 0.75 },
    { count: 2, of: 3 },
    { count: 1, of: 2, probability: 0.5 },
  ]);
  expect(
    tokenStatistics(
      [9, 2],
      fresh.map(chunk => chunk.slice(0, 2)),
    ),
  ).toMatchObject([
    { count: 0, of: 4, probability: 0 },
    { count: 0, of: 0, probability: null, interval: [0, 1] },
  ]);
});

describe("Wilson's interval", () => {
  test.each([
    // Roots p of (count/of - p)^2 = z^2 p (1 - p) / of, found by bisection.
    [5, 10, 0.236593, 0.763407],
    [0, 20, 0, 0.161125],
    [200, 200, 0.981155, 1],
    [1, 200, 0.000883, 0.027774],
  ])('%i of %i', (count, of, low, high) => {
    expect(wilsonInterval(count, of)[0]).toBeCloseTo(low, 5);
    expect(wilsonInterval(count, of)[1]).toBeCloseTo(high, 5);
  });

  test('holds the probability in about 95 of 100 cases', () => {
    const random = new RandomStream({ seed: 9, choice: 0, step: 0 });
    let held = 0;
    for (let trial = 0; trial < 4000; trial += 1) {
      let count = 0;
      for (let i = 0; i < 100; i += 1) if (random.next() < 0.2) count += 1;
      const [low, high] = wilsonInterval(count, 100);
      if (low <= 0.2 && 0.2 <= high) held += 1;
    }
    expect(Math.abs(held / 4000 - 0.95)).toBeLessThan(0.02);
  });
});

test('the choice is that without statistics, and the fresh candidates come after all of its own', () => {
  for (let seed = 0; seed < 50; seed += 1) {
    const settings = { temperature: 0.5, numCandidates: 30, seed, choice: 0 };
    const draw = (i: number) => [Math.floor(((i * 7919 + seed) % 101) / 20)];
    const plain = driveDecision(startDecision(settings, 0), draw);
    const { statistics, ...choice } = driveDecision(withStatistics(startDecision(settings, 0), 30), draw);
    const asked = driveDecision(startDecision({ ...settings, chunkStatistics: true }, 0), draw);
    expect(choice).toEqual(plain);
    expect(asked).toEqual({ ...plain, statistics });
    const fresh = Array.from({ length: 30 }, (_, i) => draw(plain.draws + i));
    expect(statistics).toEqual(tokenStatistics(plain.chunk, fresh));
  }
});
