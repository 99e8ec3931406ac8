/**
 * What a request's controls do to the law of one token, where nobody knows its probability: a factor, and a power.
 *
 * The controlled law of a position is (P(token | tokens before it)^power * e^logFactor)^(1/T) / Z. That is what the same
 * controls do to a token model: OpenAI's `logit_bias`, `presence_penalty` and `frequency_penalty` add to a
 * log-probability. `repetition_penalty` multiplies it, which is what it does to a token model's logits where they are
 * negative, as log-probabilities are.
 *
 * Cost: no draws. Setting up reads prompt and answer once a chunk; a token's factor takes time in proportion to the
 * chunk's tokens before it.
 */
import type { TokenControls, TokenHistory } from '../settings.js';

/** The controls that a CALM honours; whatever else a request asks for is nothing that it can do. */
export const CALM_CONTROLS = [
  'logitBias',
  'presencePenalty',
  'frequencyPenalty',
  'repetitionPenalty',
  'minTokens',
  'topP',
  'topK',
  'minP',
] as const satisfies readonly (keyof TokenControls)[];

/** A bias of this or less bans its token. */
const BANNING_BIAS = -100;

export const NO_HISTORY: TokenHistory = { promptTokens: [], generatedTokens: [], stopTokenIds: [] };

/** One step's controls. A chunk's own tokens count as said before the next of them is chosen. */
export class TokenWeights {
  /** No token has a smaller `power`. */
  readonly smallestPower: number;
  readonly #controls: TokenControls;
  readonly #biases: ReadonlyMap<number, number>;
  /** How often the answer has each token, before this chunk. */
  readonly #counts = new Map<number, number>();
  /** Tokens of prompt and answer, before this chunk. */
  readonly #said: ReadonlySet<number>;
  readonly #largestBefore: number;
  readonly #generated: number;
  readonly #stopTokens: ReadonlySet<number>;

  constructor(controls: TokenControls, history: TokenHistory) {
    const { promptTokens, generatedTokens, stopTokenIds } = history;
    this.#controls = controls;
    this.#biases = controls.logitBias ?? new Map();
    for (const token of generatedTokens) this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
    this.#said = new Set(this.#repetition === 1 ? [] : [...promptTokens, ...generatedTokens]);
    this.#generated = generatedTokens.length;
    this.#stopTokens = new Set(stopTokenIds);
    this.#largestBefore = [...this.#biases.keys(), ...this.#counts.keys()].reduce(
      (largest, token) => Math.max(largest, this.#factorAt(token, this.#counts.get(token) ?? 0)),
      0,
    );
    this.smallestPower = Math.min(1, this.#repetition);
  }

  /** ln of the factor on a token's probability after the chunk's tokens before it; -Infinity where it is banned. */
  logFactor(token: number, before: readonly number[]): number {
    // Nothing that follows the end of a text is said.
    if (before.some(earlier => this.#stopTokens.has(earlier))) return 0;
    const { minTokens = 0 } = this.#controls;
    if (this.#generated + before.length < minTokens && this.#stopTokens.has(token)) return -Infinity;
    const count = (this.#counts.get(token) ?? 0) + before.filter(earlier => earlier === token).length;
    return this.#factorAt(token, count);
  }

  /** No token has a greater `logFactor` where so many tokens of the chunk are before it. */
  largestLogFactor(tokensBefore: number): number {
    const { presencePenalty = 0, frequencyPenalty = 0 } = this.#controls;
    // Negative penalties reward a token that the chunk itself repeats.
    const reward = Math.max(0, -frequencyPenalty) * tokensBefore + Math.max(0, -presencePenalty);
    return this.#largestBefore + (tokensBefore === 0 ? 0 : reward);
  }

  /** The power on a token's probability. */
  power(token: number, before: readonly number[]): number {
    if (this.#repetition === 1 || before.some(earlier => this.#stopTokens.has(earlier))) return 1;
    return this.#said.has(token) || before.includes(token) ? this.#repetition : 1;
  }

  get #repetition(): number {
    return this.#controls.repetitionPenalty ?? 1;
  }

  #factorAt(token: number, count: number): number {
    const { presencePenalty = 0, frequencyPenalty = 0 } = this.#controls;
    const bias = this.#biases.get(token) ?? 0;
    if (bias <= BANNING_BIAS) return -Infinity;
    return bias - count * frequencyPenalty - (count > 0 ? presencePenalty : 0);
  }
}
