/** What goes into the engine and what comes out of it: token ids only, never text. */
import type { SamplingSettings } from '../sampler/settings.js';
import type { TokenLogprobs } from '../sampler/token-sampling/token-logprobs.js';
import type { TokenStatistics } from '../sampler/token-statistics.js';
import type { PromptAlignment } from './prompt.js';

/** One text to be generated. A request with n choices is n of these that differ in `sampling.choice`. */
export interface GenerationRequest {
  /** Ids of the prompt as it was tokenized; the engine aligns it to chunks. */
  readonly promptTokens: readonly number[];
  /** How it does so; `bos` where it is left out. */
  readonly promptAlignment?: PromptAlignment;
  /** Most tokens to deliver; what the context has no room for is cut off. */
  readonly maxTokens: number;
  /** A stop token among the first this many tokens does not stop. */
  readonly minTokens: number;
  readonly sampling: SamplingSettings;
  /** Ids that end the text wherever they appear in a chunk; empty to ignore the end of text. */
  readonly stopTokenIds: readonly number[];
  /**
   * Report the log-probability of each prompt token, and this many of the most probable tokens in its place, with the
   * first chunk. Token models only; the whole prompt runs through the model then.
   */
  readonly promptLogprobs?: number;
}

/** Why a text ended by itself: a stop token, or the token limit. */
export type FinishReason = 'stop' | 'length';

/** When things happened, in milliseconds of the engine's clock since `submit`. */
export interface ChunkTiming {
  /** Wait until the first work for this request was scheduled. */
  readonly queuedMs: number;
  /** Until the first chunk was chosen; `firstChunkMs - queuedMs` is the prefill and the first decode step. */
  readonly firstChunkMs: number;
  /** Until this chunk was chosen. */
  readonly elapsedMs: number;
}

/** One generated chunk, cut to what is delivered. */
export interface ChunkEvent {
  /** Delivered ids: the chunk up to a stop token (which is left out) or up to `maxTokens`; may be empty. */
  readonly tokens: readonly number[];
  /** null while the text goes on. */
  readonly finishReason: FinishReason | null;
  /** The stop token, where one ended the text. */
  readonly stopTokenId?: number;
  /** Tokens of the prompt that were not computed again, as their keys and values were kept from another prompt. */
  readonly reusedPromptTokens: number;
  /** Candidates that were looked at for this chunk. */
  readonly draws: number;
  /** Tokens of those candidates that were decoded. */
  readonly decodedPositions: number;
  /** True where counts of candidates decided, because draws did not reach the sampler's law. */
  readonly fallback: boolean;
  /** How fresh candidates agree with each token of the chunk, before it was cut; where the request asks for it. */
  readonly statistics?: readonly TokenStatistics[];
  /** One entry for each of `tokens`, and for the stop token behind them, where the request asks for them. */
  readonly logprobs?: readonly TokenLogprobs[];
  /** In the first event, where the request asks for them: one entry for each prompt token that has one before it. */
  readonly promptLogprobs?: readonly TokenLogprobs[];
  readonly timing: ChunkTiming;
}
