/** What is known of one HTTP request, from its headers to its last byte: for the access log and for metrics. */
import type { ChunkEvent, FinishReason, GenerationRequest } from '../../runtime/request.js';

/** How a choice ended: by itself, because its request was given up, or by a failure. */
export type ChoiceEnding = FinishReason | 'abort' | 'error';

/** A finished request, without anything of its prompt or its text. Times are milliseconds since its headers came. */
export interface RequestSummary {
  readonly requestId: string;
  /** Where the caller traces its calls. */
  readonly traceId?: string;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** The pattern that the path matched; null where there is no such route. */
  readonly route: string | null;
  /** 499 where the client left before any answer. */
  readonly status: number;
  readonly totalMs: number;
  /** True where the client left before the answer was complete. */
  readonly aborted: boolean;
  /** Code of the error that the client was told, or that ended its stream. */
  readonly error: string | null;
  readonly ignoredParams: readonly string[];
  /** Null where the request got no text from a model. */
  readonly generation: GenerationSummary | null;
}

/** What a request took from a model, over all of its choices. */
export interface GenerationSummary {
  readonly model: string;
  readonly choices: number;
  /** Each prompt counts once, however many choices it has. */
  readonly promptTokens: number;
  /** As the model made them; of the last chunk, a stop string may have kept some from the client. */
  readonly generatedTokens: number;
  /** Tokens of the longest choice that ended. */
  readonly longestChoiceTokens: number;
  readonly chunks: number;
  readonly draws: number;
  readonly fallbacks: number;
  /** Shortest wait of a choice for its slot; null before a first chunk. */
  readonly queueMs: number | null;
  readonly firstChunkMs: number | null;
  readonly finishReasons: Readonly<Partial<Record<ChoiceEnding, number>>>;
}

/** Where a request came in. */
export interface RequestStart {
  readonly requestId: string;
  /** Of the W3C trace that the request belongs to. */
  readonly traceId?: string;
  readonly method: string;
  readonly path: string;
}

export class RequestRecord {
  readonly #start: RequestStart;
  readonly #now: () => number;
  readonly #startedMs: number;
  readonly #counts = { choices: 0, promptTokens: 0, generatedTokens: 0, chunks: 0, draws: 0, fallbacks: 0 };
  readonly #finishReasons: Partial<Record<ChoiceEnding, number>> = {};
  #longestChoiceTokens = 0;
  #model: string | null = null;
  #queueMs: number | null = null;
  #firstChunkMs: number | null = null;
  /** Code of the error that the client is told. */
  error: string | null = null;
  ignoredParams: readonly string[] = [];

  /** @param now the clock, in milliseconds */
  constructor(start: RequestStart, now: () => number) {
    this.#start = start;
    this.#now = now;
    this.#startedMs = now();
  }

  choiceSubmitted(model: string, { promptTokens, sampling }: GenerationRequest): void {
    this.#model = model;
    this.#counts.choices += 1;
    if (sampling.choice === 0) this.#counts.promptTokens += promptTokens.length;
  }

  chunkGenerated({ tokens, draws, fallback, timing }: ChunkEvent): void {
    this.#counts.chunks += 1;
    this.#counts.generatedTokens += tokens.length;
    this.#counts.draws += draws;
    if (fallback) this.#counts.fallbacks += 1;
    this.#firstChunkMs ??= this.#now() - this.#startedMs;
    this.#queueMs = Math.min(this.#queueMs ?? timing.queuedMs, timing.queuedMs);
  }

  choiceEnded(ending: ChoiceEnding, generatedTokens: number): void {
    this.#longestChoiceTokens = Math.max(this.#longestChoiceTokens, generatedTokens);
    this.#finishReasons[ending] = (this.#finishReasons[ending] ?? 0) + 1;
  }

  summarize(end: {
    readonly route: string | null;
    readonly status: number;
    readonly aborted: boolean;
  }): RequestSummary {
    return {
      ...this.#start,
      ...end,
      totalMs: this.#now() - this.#startedMs,
      error: this.error,
      ignoredParams: this.ignoredParams,
      generation: this.#model === null ? null : this.#summarizeGeneration(this.#model),
    };
  }

  #summarizeGeneration(model: string): GenerationSummary {
    return {
      model,
      ...this.#counts,
      longestChoiceTokens: this.#longestChoiceTokens,
      queueMs: this.#queueMs,
      firstChunkMs: this.#firstChunkMs,
      finishReasons: { ...this.#finishReasons },
    };
  }
}
