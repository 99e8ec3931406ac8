/** The tries of a controlled decision: how each outcome is accepted, and what kept them from an end. */
import type { OutcomeLaw } from '../exact-power.js';
import { exponentOf, powerOf } from '../power.js';
import type { Sampler } from '../settings.js';
import type { OutcomeWeight } from './controlled-outcomes.js';

/**
 * Law of a choice's tries: (p^power e^logFactor)^(1/T) / Z, each outcome with its own power and factor.
 *
 * Cost: that of exact-power.ts over the share of first draws that are accepted, which is e^(logFactor / T) over the
 * greatest such factor: a bias up by b makes it at most e^(b/T) times as dear, a ban costs the banned draws.
 */
export class ControlledTries {
  readonly #temperature: number;
  readonly #sampler: Sampler;
  #sawAllowed = false;

  constructor(temperature: number, sampler: Sampler) {
    this.#temperature = temperature;
    this.#sampler = sampler;
  }

  /**
   * Whether a draw of the latest choice was allowed. Exact: while none was, every draw begins a try, so `acceptance` is
   * asked for it.
   */
  get sawAllowed(): boolean {
    return this.#sawAllowed;
  }

  /** Begins a choice. `weightOf`: its outcomes' weights; none has a greater factor than `largestLogFactor`. */
  begin(weightOf: (outcome: number) => OutcomeWeight, largestLogFactor: number): OutcomeLaw {
    this.#sawAllowed = false;
    return {
      acceptance: outcome => {
        const { logFactor } = weightOf(outcome);
        if (logFactor > -Infinity) this.#sawAllowed = true;
        return Math.exp((logFactor - largestLogFactor) / this.#temperature);
      },
      // Never null: the smallest power was tried.
      power: outcome => powerOf(exponentOf(this.#temperature / weightOf(outcome).power)!, this.#sampler),
    };
  }
}
