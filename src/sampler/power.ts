/**
 * Powers of probabilities that nobody can compute: how often independent draws must agree so that an outcome of
 * probability p survives with p^(1/T - 1).
 *
 * With n = floor(1/T) and a = 1/T - n: n draws in a row agree with probability p^n, and then a coin of probability
 * p^a is thrown, again by drawing (CALM, arXiv 2510.27688, Algorithm 1; the coin is Mendo's, arXiv 1612.08923).
 */

import type { Sampler } from './settings.js';

/** A temperature this close to 1/n, relatively, is 1/n: 0.333 means 1/3. */
const RECIPROCAL_TOLERANCE = 0.005;

/** 1/T = repeats + fraction. */
export interface Exponent {
  /** n >= 1. */
  readonly repeats: number;
  /** 0 <= a < 1. */
  readonly fraction: number;
}

/** Splits 1/T, T > 0; a temperature within 0.5 % of 1/n counts as 1/n. Null above 1: no agreement flattens a law. */
export function exponentOf(temperature: number): Exponent | null {
  const nearest = Math.max(1, Math.round(1 / temperature));
  if (Math.abs(temperature * nearest - 1) <= RECIPROCAL_TOLERANCE) return { repeats: nearest, fraction: 0 };
  if (temperature > 1) return null;
  const repeats = Math.floor(1 / temperature);
  return { repeats, fraction: 1 / temperature - repeats };
}

/**
 * A coin that an outcome passes by being drawn again. It passes at once with probability `outright`. Else draws are
 * taken until it appears, or until a draw that misses ends the wait: the i-th miss lets it go on with probability
 * `goOn(i)`. Both are read with one uniform number: the wait ends at the first i with
 * goOn(1) goOn(2) ... goOn(i) <= uniform, and uniform < outright passes at once.
 */
export interface Coin {
  readonly outright: number;
  goOn(misses: number): number;
}

/**
 * Mendo's coin of probability p^a for an outcome of probability p, 0 < a < 1: the i-th miss ends the wait with
 * probability a/i. Expected draws: p^(a - 1).
 */
export function mendoCoin(fraction: number): Coin {
  return { outright: 0, goOn: misses => 1 - fraction / misses };
}

/** How often draws must agree. */
export interface Power {
  /** n: draws in a row that must agree. */
  readonly repeats: number;
  /** The fractional stage, where there is one. */
  readonly coin?: Coin;
}

/**
 * How often draws must agree under a sampler: with Mendo's coin, but `auto` between T = 1/2 and 1 throws the short one,
 * because there Mendo's costs more draws than T = 1/2 for less effect.
 */
export function powerOf({ repeats, fraction }: Exponent, sampler: Sampler): Power {
  if (fraction === 0) return { repeats };
  return { repeats, coin: (sampler === 'auto' && repeats === 1 ? shortCoin : mendoCoin)(fraction) };
}

/** Longest wait of the short coin, in draws. */
const LONGEST_SHORT_WAIT = 16;
/** Below this the short coin knows no smaller probability. */
const SHORT_RESOLUTION = 1 / 1000;

/**
 * Mendo's coin with an end: at most 16 draws, at the price of a probability f(p) that is p^a only nearly.
 *
 * Mendo's coin spends most of its draws on outcomes so rare that they are not seen again: 1 / p^(1 - a) of them. Here
 * the wait ends after 16 misses, and an outcome passes at once with the probability 1/1000^a that the rarest
 * outcomes keep: f(p) = r^a + sum of w_i (1 - (1 - p)^i) with Mendo's own weights w_i = P(the i-th miss ends the
 * wait), the rest of the weight on i = 16. Continuous in T: P at T = 1, P^2 at T = 1/2. For 0.6 <= T < 1 and
 * p >= 1/1000, f(p) / p^a lies between 0.62 and 1.31; docs/sampling.md has the table and the reason.
 */
export function shortCoin(fraction: number): Coin {
  let longWaits = 1;
  for (let i = 1; i <= LONGEST_SHORT_WAIT; i += 1) longWaits *= 1 - fraction / i;
  return {
    outright: Math.min(longWaits, SHORT_RESOLUTION ** fraction),
    goOn: misses => (misses < LONGEST_SHORT_WAIT ? 1 - fraction / misses : 0),
  };
}

/** The probability that an outcome of probability p passes the short coin at 1/T = 1 + fraction: its f(p). */
export function shortCoinPasses(fraction: number, p: number): number {
  const { outright, survivals } = shortWaits(fraction);
  let passes = outright;
  for (let i = 1; i <= LONGEST_SHORT_WAIT; i += 1) {
    passes += (survivals[i - 1]! - survivals[i]!) * (1 - (1 - p) ** i);
  }
  return passes;
}

/** The draws that the short coin takes in the mean for an outcome of probability p at 1/T = 1 + fraction. */
export function shortCoinDraws(fraction: number, p: number): number {
  const { outright, survivals } = shortWaits(fraction);
  let draws = 0;
  for (let i = 1; i <= LONGEST_SHORT_WAIT; i += 1) {
    draws += (survivals[i - 1]! - outright) * (1 - p) ** (i - 1);
  }
  return draws;
}

/** Probability that a short coin's uniform number ends no wait up to i misses, at index i; `outright` at the last. */
function shortWaits(fraction: number): { readonly outright: number; readonly survivals: readonly number[] } {
  const { outright, goOn } = shortCoin(fraction);
  const survivals = [1];
  let survival = 1;
  for (let i = 1; i <= LONGEST_SHORT_WAIT; i += 1) {
    survival *= goOn(i);
    survivals.push(Math.max(outright, survival));
  }
  return { outright, survivals };
}
