import { describe, expect, test } from 'vitest';
import { chiSquareProbability, tally } from '../../tests/reference/chi-square.js';
import { driveDecision } from '../../tests/reference/drive-decision.js';
import { FALSE_ALARM, powerOf, ROUND_SIZES, randomOf, sharesOf } from '../../tests/reference/law-decision.js';
import {
  chunkLaw,
  chunksOf,
  type JointLaw,
  tokenLaw,
  totalVariation,
} from '../../tests/reference/power-laws.js';
import { CandidateDraws } from './candidate-draws.js';
import type { ChunkDecision } from './decision.js';
import { chooseByExactPower } from './exact-power.js';
import { chooseByCounts, failAtLimit } from './on-limit.js';
import { mendoCoin, type Power } from './power.js';
import { tokenLawDecision } from './token-law.js';
import type { RandomStream } from './uniform.js';

const LIMIT = 1_000_000;

/** The first token is frequent where what follows is scattered, and rare where it is certain. */
const SCATTERED: JointLaw = new Map([
  ...Array.from({ length: 8 }, (_, i) => [`0,${i}`, (0.6 * (i + 1)) / 36] as const),
  ['1,20', 0.25],
  ['2,30', 0.1],
  ['2,31', 0.05],
]);
/** Three positions; the third depends on the first, whatever the second is. */
const FAR: JointLaw = new Map(
  [0, 1].flatMap(a =>
    [0, 1, 2].flatMap(b =>
      [0, 1].map(c => {
        const first = [0.65, 0.35][a]!;
        const second = [0.5, 0.3, 0.2][(b + a) % 3]!;
        const third = a === c ? [0.9, 0.45][a]! : [0.1, 0.55][a]!;
        return [`${a},${b},${c}`, first * second * third] as const;
      }),
    ),
  ),
);

const tokenwise = (power: Power, temperature: number, trial: number) =>
  tokenLawDecision(LIMIT, power, failAtLimit(temperature, LIMIT, 'token'), randomOf(trial), () => 5);
const exactly = (temperature: number, trial: number) => tokenwise(powerOf(temperature), temperature, trial);

function countsOf(
  joint: JointLaw,
  decide: (trial: number) => ChunkDecision,
  trials = 4000,
): Map<string, number> {
  const draw = chunksOf(joint, 31);
  return tally(trials, trial => driveDecision(decide(trial), draw).chunk.join());
}

describe('the law', () => {
  const cases = [0.9, 0.7, 0.5, 0.4, 1 / 3].flatMap(temperature => [
    { name: 'scattered', joint: SCATTERED, temperature },
    { name: 'far', joint: FAR, temperature },
  ]);
  test.each(cases)(
    'is the product of the conditional laws: $name, T = $temperature',
    ({ joint, temperature }) => {
      const counts = countsOf(joint, trial => exactly(temperature, trial));
      expect(chiSquareProbability(counts, tokenLaw(joint, temperature))).toBeGreaterThan(FALSE_ALARM);
    },
  );

  test.each([0.7, 0.5, 1 / 3])('is not the chunk law, T = %d: this test can fail', temperature => {
    const counts = countsOf(SCATTERED, trial => exactly(temperature, trial));
    expect(chiSquareProbability(counts, chunkLaw(SCATTERED, temperature))).toBeLessThan(FALSE_ALARM);
  });

  test.each([
    { temperature: 0.7, repeats: 1 },
    { temperature: 0.4, repeats: 2 },
  ])(
    'is not kept by floor(1/T) agreements without the coin: T = $temperature',
    ({ temperature, repeats }) => {
      const counts = countsOf(SCATTERED, trial => tokenwise({ repeats }, temperature, trial));
      expect(chiSquareProbability(counts, tokenLaw(SCATTERED, temperature))).toBeLessThan(FALSE_ALARM);
    },
  );

  test.each([{ biased: 0.6 }, { biased: 0.3 }])(
    'is not kept by a biased coin: $biased for the fraction 0.43 of T = 0.7, which the right one passes',
    ({ biased }) => {
      const law = tokenLaw(SCATTERED, 0.7);
      const fit = (fraction: number) => {
        const power = { repeats: 1, coin: mendoCoin(fraction) };
        return chiSquareProbability(
          countsOf(SCATTERED, trial => tokenwise(power, 0.7, trial), 16_000),
          law,
        );
      };
      expect(fit(biased)).toBeLessThan(FALSE_ALARM);
      expect(fit(1 / 0.7 - 1)).toBeGreaterThan(FALSE_ALARM);
    },
  );

  test('is not kept where a decision looks at later tokens to know when to stop', () => {
    const counts = countsOf(SCATTERED, trial => impatient(powerOf(0.5), randomOf(trial)));
    expect(chiSquareProbability(counts, tokenLaw(SCATTERED, 0.5))).toBeLessThan(FALSE_ALARM);
  });

  test('is not kept where the second position meets only the draws that decided the first', () => {
    const counts = countsOf(SCATTERED, trial => forgetful(powerOf(0.5), randomOf(trial)), 16_000);
    expect(chiSquareProbability(counts, tokenLaw(SCATTERED, 0.5))).toBeLessThan(FALSE_ALARM);
  });
});

/** A wrong variant: the first position goes on until its draws decide the second one as well. */
function* impatient(power: Power, random: RandomStream): ChunkDecision {
  const draws = new CandidateDraws(LIMIT, () => 1);
  let candidate = 0;
  for (;;) {
    const next = function* () {
      yield* draws.reach(candidate);
      candidate += 1;
      return draws.node(candidate - 1, 1);
    };
    const first = (yield* chooseByExactPower(next, power, random))!;
    const known = Array.from({ length: draws.fetched }, (_, i) => i).filter(i => draws.node(i, 1) === first);
    const second = yield* chooseByExactPower(
      // biome-ignore lint/correctness/useYield: these draws are there already.
      function* () {
        const at = known.shift();
        return at === undefined ? undefined : draws.node(at, 2);
      },
      power,
      random,
    );
    if (second !== undefined) {
      return { chunk: draws.tree.chunk(second), draws: draws.fetched, fallback: false };
    }
  }
}

/** A wrong variant: whatever repeats first below the chosen token wins, wherever it stands. */
function* forgetful(power: Power, random: RandomStream): ChunkDecision {
  const draws = new CandidateDraws(LIMIT, () => 1);
  let candidate = 0;
  const next = function* () {
    yield* draws.reach(candidate);
    candidate += 1;
    return draws.node(candidate - 1, 1);
  };
  const first = (yield* chooseByExactPower(next, power, random))!;
  const seen = new Set<number>();
  for (let i = 0; ; i += 1) {
    yield* draws.reach(i);
    if (draws.node(i, 1) !== first) continue;
    const second = draws.node(i, 2);
    if (seen.has(second)) return { chunk: draws.tree.chunk(second), draws: draws.fetched, fallback: false };
    seen.add(second);
  }
}

describe('the cost', () => {
  test('what one position leaves over serves the next: fewer draws than two decisions of their own', () => {
    // 2 / S_2 of the first token is 4.42; below it the law is certain, so two agreeing draws are there already.
    const joint = new Map([0.6, 0.25, 0.15].map((p, i) => [`${i},${i}`, p] as const));
    const draw = chunksOf(joint, 33);
    let total = 0;
    const trials = 4000;
    for (let trial = 0; trial < trials; trial += 1) {
      const decision = tokenLawDecision(
        LIMIT,
        { repeats: 2 },
        failAtLimit(0.5, LIMIT, 'token'),
        randomOf(trial),
        () => 1,
      );
      total += driveDecision(decision, draw).draws;
    }
    // Standard deviation of a geometric number of pairs: about 4; four standard errors are 0.25.
    expect(Math.abs(total / trials - 2 / (0.36 + 0.0625 + 0.0225))).toBeLessThan(0.25);
  });
});

describe('at the limit', () => {
  test('ends with a sentence where only exactness was allowed', () => {
    const decision = tokenLawDecision(64, powerOf(0.5), failAtLimit(0.5, 64, 'token'), randomOf(1), () => 7);
    expect(() => driveDecision(decision, i => [1, i])).toThrow(/^`sampler` "exact" drew 64 candidates/);
  });

  test.each([0.7, 0.5])(
    'with the coin of `exact` is no further from its law than the share of its fallbacks, T = %d',
    temperature => {
      const { shares, fallbackShare } = sharesOf(6000, chunksOf(SCATTERED, 35), trial =>
        tokenLawDecision(12, powerOf(temperature), chooseByCounts(temperature), randomOf(trial), () => 4),
      );
      const distance = totalVariation(shares, tokenLaw(SCATTERED, temperature));
      // The noise of 11 cells: sqrt(11 / 6000) / 2 on average, and four of its deviations.
      expect(fallbackShare).toBeGreaterThan(0.2);
      expect(distance).toBeLessThan(fallbackShare + 0.022 + 0.026);
    },
  );
});

test('how draws are grouped into rounds does not change the choice', () => {
  for (let trial = 0; trial < 300; trial += 1) {
    const temperature = [0.9, 0.7, 0.5, 0.4, 1 / 3][trial % 5]!;
    const choices = ROUND_SIZES.map(roundSize => {
      const decision = tokenLawDecision(
        25,
        powerOf(temperature),
        chooseByCounts(temperature),
        randomOf(trial),
        roundSize,
      );
      const { chunk, fallback } = driveDecision(decision, chunksOf(trial % 2 ? FAR : SCATTERED, trial));
      return `${chunk.join()} ${fallback}`;
    });
    expect(new Set(choices).size).toBe(1);
  }
});
