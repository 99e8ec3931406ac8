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
  /** Draw `numCandidates` more after each decision and report how they agree with it; CALM only. */
  readonly chunkStatistics?: boolean;
}
