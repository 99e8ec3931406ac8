import { describe, expect, test } from 'vitest';
import { driveDecision, sourceOf } from '../../tests/reference/drive-decision.js';
import { chunkLawDecision } from './exact-chunk-law.js';
import { chooseByCounts } from './on-limit.js';
import { pluralityDecision } from './plurality.js';
import { exponentOf, powerOf } from './power.js';
import { type DrawOutlook, growingRounds, type RoundSize, roundsByAgreement } from './round-size.js';
import { startDecision } from './start-decision.js';
import { RandomStream } from './uniform.js';

const zipf = (slope: number) => Array.from({ length: 2000 }, (_, i) => (i + 1) ** -slope);

/** Mean cost of a decision of 200 candidates at most, in candidates, where a call costs as much as three. */
function cost(law: readonly number[], n: number, roundSize: RoundSize): number {
  const trials = 300;
  let total = 0;
  for (let trial = 0; trial < trials; trial += 1) {
    // The same draws whatever the rounds are, so that only these differ.
    const draw = sourceOf(law, trial);
    const random = new RandomStream({ seed: trial, choice: 0, step: 0 });
    const power = powerOf(exponentOf(1 / n)!, 'auto');
    const decision = chunkLawDecision(200, power, chooseByCounts(1 / n), random, roundSize);
    let wish = decision.next([]);
    while (!wish.done) {
      const count = wish.value as number;
      total += count + 3;
      wish = decision.next(Array.from({ length: count }, (_, i) => draw(i)));
    }
  }
  return total / trials;
}

describe('growing rounds', () => {
  const someAgree = () => [2, 1, 1];

  test('are larger where the request took many before, and where fewer share the calls', () => {
    const sizes = [
      growingRounds({ sharers: 16 }),
      growingRounds({ sharers: 1 }),
      growingRounds({ sharers: 1, expectedDraws: 100 }),
    ].map(rounds => rounds(4, someAgree, 196));
    expect(sizes).toEqual([3, 10, 49]);
  });

  test('take what is left of the pool along where another call would cost more', () => {
    const rounds = growingRounds({ sharers: 1 });
    expect([rounds(100, someAgree, 60), rounds(100, someAgree, 61)]).toEqual([60, 49]);
  });

  test('take the whole pool at once where earlier chunks did', () => {
    const sizes = [100, 196].map(expectedDraws =>
      growingRounds({ sharers: 1, expectedDraws })(1, () => [1], 199),
    );
    expect(sizes).toEqual([49, 199]);
  });

  test('waste less with the outlook of earlier chunks', () => {
    const law = zipf(1);
    const outlook = { sharers: 4, expectedDraws: 100 };
    expect(cost(law, 3, growingRounds(outlook))).toBeLessThan(
      0.97 * cost(law, 3, growingRounds({ sharers: 4 })),
    );
  });
});

describe('rounds by agreement', () => {
  test('ask for one, and for twice as many as there are where no n agree', () => {
    const rounds = roundsByAgreement(3);
    const sizes = [
      rounds(0, () => [], 200),
      rounds(1, () => [1], 199),
      rounds(40, () => [2, ...Array(38).fill(1)], 160),
    ];
    expect(sizes).toEqual([1, 3, 80]);
  });

  test('ask for less the sooner a decision is expected', () => {
    const rounds = roundsByAgreement(2);
    const sizes = [2, 4, 8, 40].map(most => rounds(40, () => [most, ...Array(40 - most).fill(1)], 160));
    expect(sizes.toSorted((a, b) => b - a)).toEqual(sizes);
    expect(sizes.at(-1)).toBe(Math.ceil(Math.sqrt(6 * 40)));
  });

  test.each([
    { slope: 0.8, n: 3, saves: 0.04 },
    { slope: 1, n: 3, saves: 0.03 },
    { slope: 1, n: 4, saves: 0.04 },
    { slope: 1.5, n: 2, saves: -0.02 },
    { slope: 1.2, n: 2, saves: -0.01 },
  ])('cost less where it takes long, no more where not: slope $slope, T = 1/$n', ({ slope, n, saves }) => {
    const before = cost(zipf(slope), n, growingRounds());
    expect(cost(zipf(slope), n, roundsByAgreement(n))).toBeLessThan(before * (1 - saves));
  });
});

test('a plurality of a request whose chunks need most of the pool costs less with that outlook', () => {
  const costWith = (outlook?: DrawOutlook) => {
    let total = 0;
    for (let trial = 0; trial < 200; trial += 1) {
      const draw = sourceOf(zipf(1), trial);
      const decision = pluralityDecision(200, 'chunk', undefined, 0, { outlook });
      let wish = decision.next([]);
      while (!wish.done) {
        const count = wish.value as number;
        total += count + 12;
        wish = decision.next(Array.from({ length: count }, (_, i) => draw(i)));
      }
    }
    return total;
  };
  expect(costWith({ sharers: 1, expectedDraws: 172 })).toBeLessThan(0.92 * costWith());
});

test.each(['chunk', 'token'] as const)('what was needed is told apart from what came along: %s law', law => {
  const sampling = { temperature: 0.5, temperatureLaw: law, numCandidates: 200, seed: 3, choice: 0 } as const;
  const outlook = { sharers: 1, expectedDraws: 198 };
  // Half of all candidates are the same chunk, so a few decide.
  const draw = (candidate: number) => (candidate % 2 === 0 ? [7, 7] : [candidate, candidate]);
  const [modest, eager] = [{}, { outlook }].map(context =>
    driveDecision(startDecision(sampling, 0, 65_536, context), draw),
  );
  expect([modest!.chunk, modest!.drawsNeeded]).toEqual([eager!.chunk, eager!.drawsNeeded]);
  expect(eager!.draws).toBe(200);
  expect(eager!.drawsNeeded).toBeLessThan(30);
});
