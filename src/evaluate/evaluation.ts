/** What an evaluation is asked, and what it finds. */
import type { BrierSummary } from './brier-summary.js';
import type { TokenFlops } from './flops.js';

export interface EvaluationOptions {
  /** Draws at a position; paths at a position for a token model. At least 2. */
  readonly samples: number;
  /** 0 <= seed < 2^53. */
  readonly seed: number;
  /** Text tokens of a block; the longest that the model can hold where it is left out. */
  readonly blockTokens?: number | undefined;
  /** Tokens from one position to the next. */
  readonly stride?: number | undefined;
  /** Join the documents to one stream before it is cut into blocks. */
  readonly concatenate?: boolean | undefined;
  /** Is told how many text tokens have been scored. */
  readonly onProgress?: (tokens: number) => void;
}

export interface Evaluation extends BrierSummary {
  readonly blockTokens: number;
  readonly stride: number;
  readonly samples: number;
  /** Text tokens of the blocks. */
  readonly tokens: number;
  /** Shares of tokens that the autoencoder gives back; null for token models. */
  readonly autoencoderAccuracy: number | null;
  readonly autoencoderAccuracyClean: number | null;
  /** Under posterior noise, of tokens drawn uniformly: what odd text may count on. */
  readonly autoencoderAccuracyRandom: number | null;
  /** One candidate a step, at the model's full context; null for heads whose cost is not known. */
  readonly flopsPerToken: number | null;
  /** The same by part. */
  readonly flopsPerTokenParts: TokenFlops | null;
}
