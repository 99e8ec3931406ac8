/** What a completion or chat runs: everything that a request says, checked and filled in. */
import type { PromptAlignment } from '../../runtime/prompt.js';
import type { Sampler, TemperatureLaw, TokenControls } from '../../sampler/settings.js';

/** A prompt that has no random numbers yet. */
export interface UnseededPrompt {
  readonly tokens: readonly number[];
  /** What `echo` puts in front of each of its choices. */
  readonly echoText: string;
}

/** One prompt of a request. */
export interface Prompt extends UnseededPrompt {
  readonly seed: number;
}

/** A completion request that the model can run. */
export interface Generation {
  readonly prompts: readonly Prompt[];
  readonly promptAlignment: PromptAlignment;
  /** Choices of each prompt that are answered, n. */
  readonly choiceCount: number;
  /** Choices of each prompt that are made, best_of; `choiceCount` or more. */
  readonly candidateCount: number;
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly temperature: number;
  readonly numCandidates: number;
  readonly greedyError: number;
  readonly sampler: Sampler;
  readonly temperatureLaw: TemperatureLaw;
  readonly chunkStatistics: boolean;
  readonly controls: TokenControls | undefined;
  /** How many of the most probable tokens are reported with each token's log-probability; null to report none. */
  readonly logprobs: number | null;
  /** Whether those of the prompt are reported too, in front of them. */
  readonly hasPromptLogprobs: boolean;
  /** Tokens that end a choice; none of them is delivered. */
  readonly stopTokenIds: readonly number[];
  /** Texts that end a choice; none of them is delivered. */
  readonly stopStrings: readonly string[];
  /** Delivers the stop string that ends a choice, all the same. */
  readonly includeStopString: boolean;
  readonly granularity: Granularity;
  /** The model's tokens a chunk, K. */
  readonly chunkSize: number;
}

/** What one event of a stream holds. */
export type Granularity = 'chunk' | 'token';
