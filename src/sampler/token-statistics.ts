/** How often fresh candidates agree with a chosen chunk; chunk-statistics.ts says how they are drawn. */

/** One token of a chosen chunk. */
export interface TokenStatistics {
  /** Fresh candidates that begin with the chunk up to and with this token. */
  readonly count: number;
  /** Of so many that begin with the tokens before it. */
  readonly of: number;
  /** count / of, an estimate of P(token | tokens before it); null where `of` is 0. */
  readonly probability: number | null;
  /** 95 %; [0, 1] where `of` is 0. */
  readonly interval: readonly [number, number];
}
