/** What a request asks of the sampler, already checked: the HTTP layer and the command line build it. */
export interface SamplingSettings {
  /** 0 <= temperature <= 2. 0 is the plurality, 1 a plain draw. */
  readonly temperature: number;
  /** Largest number of candidates that one decision may draw (the paper's N); CALM only. */
  readonly numCandidates: number;
  /** Key of every random number of the request; 0 <= seed < 2^53. */
  readonly seed: number;
  /** Which of the request's n choices this is; part of the random key. */
  readonly choice: number;
}
