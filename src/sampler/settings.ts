/** What a request asks of the sampler, already checked: the HTTP layer and the command line build it. */

/**
 * How hard the law is pursued below T = 1. `exact` draws until it has spoken; `auto` does so with `numCandidates`
 * draws at most, after which they decide as a pool; `pool` is the paper's Algorithm 2, at any T. See docs/sampling.md.
 */
export const SAMPLERS = ['auto', 'exact', 'pool'] as const;
export type Sampler = (typeof SAMPLERS)[number];

/**
 * What the temperature acts on: `chunk` is P(chunk)^(1/T)/Z, the paper's; `token` is P(token | tokens before it in
 * the chunk)^(1/T)/Z, position by position, which is what a temperature means on a token model.
 */
export const TEMPERATURE_LAWS = ['token', 'chunk'] as const;
export type TemperatureLaw = (typeof TEMPERATURE_LAWS)[number];

/** Where a request names no sampler. */
export const DEFAULT_SAMPLER: Sampler = 'auto';
/** Where neither the request nor the package names a law; docs/sampling.md says why. */
export const DEFAULT_TEMPERATURE_LAW: TemperatureLaw = 'chunk';

/** What changes the probabilities of tokens besides the temperature. A field that is left out changes nothing. */
export interface TokenControls {
  /** Added to a token's log-probability; -100 or less bans it. */
  readonly logitBias?: ReadonlyMap<number, number>;
  /** Taken off the log-probability of every token that the answer has already. */
  readonly presencePenalty?: number;
  /** The same, once for each time that the answer has it. */
  readonly frequencyPenalty?: number;
  /** Logits of tokens of prompt and answer are divided by it where they are positive, else multiplied; above 0. */
  readonly repetitionPenalty?: number;
  /** No stop token before this many generated tokens. */
  readonly minTokens?: number;
  /** Only the most probable tokens that together have this probability; 0 to 1. */
  readonly topP?: number;
  /** Only this many of the most probable tokens; at least 1. */
  readonly topK?: number;
  /** Only tokens that have at least this share of the most probable token's probability; 0 to 1. */
  readonly minP?: number;
}

/** What of a request token controls look at. */
export interface TokenHistory {
  /** As the request gave them, without what alignment puts in front. */
  readonly promptTokens: readonly number[];
  /** All whole chunks of the answer so far. */
  readonly generatedTokens: readonly number[];
  /** Ids that end the text; empty where the end of text is ignored. */
  readonly stopTokenIds: readonly number[];
}

export interface SamplingSettings {
  /** 0 <= temperature <= 2. 0 is the plurality, 1 a plain draw. */
  readonly temperature: number;
  /** Largest number of candidates that one decision may draw (the paper's N); CALM only. */
  readonly numCandidates: number;
  /** Key of every random number of the request; 0 <= seed < 2^53. */
  readonly seed: number;
  /** Which of the request's n choices this is; part of the random key. */
  readonly choice: number;
  /** CALM only; DEFAULT_SAMPLER where it is left out. */
  readonly sampler?: Sampler;
  /** CALM only; DEFAULT_TEMPERATURE_LAW where it is left out. */
  readonly temperatureLaw?: TemperatureLaw;
  /**
   * At temperature 0: probability with which a chunk may be decided early and not be the likeliest; 0 where it is left
   * out. CALM only.
   */
  readonly greedyError?: number;
  /** Draw `numCandidates` more after each decision and report how they agree with it; CALM only. */
  readonly chunkStatistics?: boolean;
  readonly controls?: TokenControls;
  /** Report each token's log-probability and this many of the most probable tokens with it; token model only. */
  readonly logprobs?: number;
}
