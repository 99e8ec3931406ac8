/**
 * Algorithm 1 of the paper (CALM, arXiv 2510.27688, section 4.1) on any outcomes that can be drawn: the law
 * p^(1/T) / Z from independent draws of p, with the first disagreement ending a try.
 *
 * Law. A try takes fresh draws in order. It yields x with probability p(x) p(x)^(n-1) p(x)^a: the first draw is x, n
 * - 1 more agree, the coin succeeds. Tries are independent and repeated until one yields, so the result has the law
 * p(x)^(1/T) / Z, Z = sum p^(1/T). Ending a try at its first disagreement changes when the next begins, not its law.
 *
 * Cost, a = 0: E = (2 + sum_{j=2}^{n-1} S_j) / Z draws for n >= 2, with S_j = sum p^j; Mendo's coin adds
 * sum p^(1/T - 1) / Z, and n = 1 needs (1 + sum p^(1/T - 1)) / Z.
 */
import type { Drawing } from './candidate-draws.js';
import type { Coin, Power } from './power.js';
import type { RandomStream } from './uniform.js';

/** Gives the next draw as a number, by default one that is equal for equal outcomes, or undefined where there are no more. */
export type Outcomes = () => Drawing<number | undefined>;

/** Whether two draws are the same outcome. */
export type SameOutcome = (first: number, second: number) => boolean;

const isSame: SameOutcome = (first, second) => first === second;

/** A law that treats outcomes differently: acceptance(x) p(x)^(1/T of x) / Z. */
export interface OutcomeLaw {
  /** How often draws must agree on this outcome. */
  power(outcome: number): Power;
  /** Probability with which a try that begins with this outcome goes on. */
  acceptance(outcome: number): number;
}

/** An outcome of the law p^(1/T) / Z, or undefined where the draws ran out before it had spoken. */
export function chooseByExactPower(
  next: Outcomes,
  power: Power,
  random: RandomStream,
  same = isSame,
): Drawing<number | undefined> {
  return chooseByOutcomeLaw(next, { power: () => power, acceptance: () => 1 }, random, same);
}

/** The same for a law that treats outcomes differently: a try passes one coin more, so its law has one factor more. */
export function* chooseByOutcomeLaw(
  next: Outcomes,
  law: OutcomeLaw,
  random: RandomStream,
  same = isSame,
): Drawing<number | undefined> {
  for (;;) {
    const outcome = yield* next();
    if (outcome === undefined) return undefined;
    const acceptance = law.acceptance(outcome);
    if (acceptance < 1 && random.next() >= acceptance) continue;
    const power = law.power(outcome);
    const agreed = yield* allAgree(next, outcome, power.repeats - 1, same);
    if (agreed === undefined) return undefined;
    if (!agreed) continue;
    if (power.coin === undefined) return outcome;
    const passed = yield* passes(next, outcome, power.coin, random.next(), same);
    if (passed === undefined) return undefined;
    if (passed) return outcome;
  }
}

/** Whether the next `count` draws are all this outcome; stops at the first that is not. */
function* allAgree(
  next: Outcomes,
  outcome: number,
  count: number,
  same: SameOutcome,
): Drawing<boolean | undefined> {
  for (let i = 0; i < count; i += 1) {
    const other = yield* next();
    if (other === undefined) return undefined;
    if (!same(other, outcome)) return false;
  }
  return true;
}

/** Whether the coin lands in this outcome's favour. */
function* passes(
  next: Outcomes,
  outcome: number,
  coin: Coin,
  uniform: number,
  same: SameOutcome,
): Drawing<boolean | undefined> {
  if (uniform < coin.outright) return true;
  let survival = 1;
  for (let misses = 1; ; misses += 1) {
    const other = yield* next();
    if (other === undefined) return undefined;
    if (same(other, outcome)) return true;
    survival *= coin.goOn(misses);
    if (uniform >= survival) return false;
  }
}
