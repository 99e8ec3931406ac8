/** Counts and times of one answer: OpenAI's `usage`, and `timings` in llama.cpp's words. */
import type { ChoiceDelta } from '../generation/completion-run.js';
import type { Generation } from '../generation/generation.js';
import type { StreamOptions } from '../generation/generation-fields.js';

/** Token counts; each prompt counts once, however many choices it has. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  /** Of the prompts, what the prefix cache had; each prompt as its first choice found it. */
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** Where the time went, over all choices; the wait in the queue is no part of it. */
export interface Timings {
  readonly prompt_n: number;
  /** From the first work on the answer to its first chunk: the prompt and one step. */
  readonly prompt_ms: number;
  readonly predicted_n: number;
  /** From the first work on the answer to its last chunk, so `prompt_ms` is a part of it. */
  readonly predicted_ms: number;
  readonly predicted_per_second: number;
  /** Chunks generated; the tokens behind a stop or the limit are not in predicted_n. */
  readonly chunks: number;
  /** Tokens that one chunk holds. */
  readonly chunk_size: number;
  /** Candidates that the sampler looked at. */
  readonly draws: number;
  /** Tokens of those candidates that were decoded: fewer than draws * chunk_size where a decision looked at parts. */
  readonly decoded_positions: number;
  /** Chunks that counts of candidates decided, because draws did not reach the sampler's law. */
  readonly fallbacks: number;
}

/** Adds up the deltas of one answer. */
export class AnswerMeter {
  readonly #chunkSize: number;
  readonly #promptTokens: number;
  readonly #candidateCount: number;
  /** By the index of each prompt's first choice. */
  readonly #cachedTokens = new Map<number, number>();
  #openChoices: number;
  #completionTokens = 0;
  #chunks = 0;
  #draws = 0;
  #decodedPositions = 0;
  #fallbacks = 0;
  #startMs = Number.POSITIVE_INFINITY;
  #firstChunkMs = Number.POSITIVE_INFINITY;
  #endMs = 0;

  constructor(generation: Generation) {
    this.#chunkSize = generation.chunkSize;
    this.#candidateCount = generation.candidateCount;
    this.#openChoices = generation.prompts.length * generation.choiceCount;
    this.#promptTokens = generation.prompts.reduce((sum, prompt) => sum + prompt.tokens.length, 0);
  }

  /** Books a delta; where it ends its choice, the reader books that with `choiceEnded`. */
  add({ index, tokenIds, chunk }: Pick<ChoiceDelta, 'index' | 'tokenIds' | 'chunk'>): void {
    this.#completionTokens += tokenIds.length;
    if (!chunk) return;
    if (index % this.#candidateCount === 0) this.#cachedTokens.set(index, chunk.reusedPromptTokens);
    this.#chunks += 1;
    this.#draws += chunk.draws;
    this.#decodedPositions += chunk.decodedPositions;
    if (chunk.fallback) this.#fallbacks += 1;
    this.#startMs = Math.min(this.#startMs, chunk.timing.queuedMs);
    this.#firstChunkMs = Math.min(this.#firstChunkMs, chunk.timing.firstChunkMs);
    this.#endMs = Math.max(this.#endMs, chunk.timing.elapsedMs);
  }

  choiceEnded(): void {
    this.#openChoices -= 1;
  }

  /** True once every choice has ended. */
  get isComplete(): boolean {
    return this.#openChoices === 0;
  }

  get usage(): Usage {
    return {
      prompt_tokens: this.#promptTokens,
      completion_tokens: this.#completionTokens,
      total_tokens: this.#promptTokens + this.#completionTokens,
      prompt_tokens_details: {
        cached_tokens: [...this.#cachedTokens.values()].reduce((sum, tokens) => sum + tokens, 0),
      },
    };
  }

  get timings(): Timings {
    const hasChunks = this.#chunks > 0;
    const predictedMs = hasChunks ? this.#endMs - this.#startMs : 0;
    const perSecond = predictedMs > 0 ? (this.#completionTokens * 1000) / predictedMs : 0;
    return {
      prompt_n: this.#promptTokens,
      prompt_ms: roundTo3(hasChunks ? this.#firstChunkMs - this.#startMs : 0),
      predicted_n: this.#completionTokens,
      predicted_ms: roundTo3(predictedMs),
      predicted_per_second: roundTo3(perSecond),
      chunks: this.#chunks,
      chunk_size: this.#chunkSize,
      draws: this.#draws,
      decoded_positions: this.#decodedPositions,
      fallbacks: this.#fallbacks,
    };
  }
}

/** What a stream is to say of its usage and its timings. */
export interface UsageOptions {
  /** An event with the usage at the end. */
  readonly includeUsage: boolean;
  /** The usage so far in every event. */
  readonly continuousUsage: boolean;
  /** The timings so far in every event; else they come with the last text only. */
  readonly timingsPerToken?: boolean;
}

/** What an event says beside its choice. Clients that did not ask for usage must not meet the key. */
export function meterFields(
  meter: AnswerMeter,
  { includeUsage, continuousUsage, timingsPerToken }: UsageOptions,
): { usage?: Usage | null; timings?: Timings } {
  return {
    ...(includeUsage ? { usage: continuousUsage ? meter.usage : null } : {}),
    ...(meter.isComplete || timingsPerToken ? { timings: meter.timings } : {}),
  };
}

/** Both routes read the same fields for it. */
export function readUsageOptions(body: {
  readonly stream_options?: StreamOptions | null | undefined;
  readonly timings_per_token?: boolean | null | undefined;
}): UsageOptions {
  const options = body.stream_options;
  return {
    includeUsage: options?.include_usage ?? false,
    continuousUsage: options?.continuous_usage_stats ?? false,
    timingsPerToken: body.timings_per_token ?? false,
  };
}

function roundTo3(value: number): number {
  return Math.round(value * 1000) / 1000;
}
