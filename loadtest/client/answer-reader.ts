/**
 * Turns the events of a streamed completion into times and counts. Tokens are counted by the server's `usage` and
 * never by events: one event may carry a whole chunk of tokens, or none.
 */
import {
  type AnswerContent,
  type CompletionObject,
  type DrawCount,
  hiddenError,
  parseCompletion,
  readDraws,
} from './completion-object.js';
import { RequestFailure } from './request-failure.js';
import type { ServerSentEvent } from './sse-reader.js';

/** A streamed completion as it arrived. Times are those of the clock that the reader was given. */
export interface StreamedAnswer extends AnswerContent {
  /** Arrival of the first event that carried text (or token ids, where a model has no text). */
  readonly firstChunkMs: number;
  /** Arrival of the event that ended the choice. */
  readonly endMs: number;
  /** Times between events that carried text. Events that arrived in one read are 0 apart. */
  readonly gapsMs: readonly number[];
  readonly chunkCount: number;
  /** From usage that the server sends with every event; null where it sends it only at the end. */
  readonly firstChunkTokens: number | null;
  readonly promptTokens: number | null;
  /** Null where the server does not tell. */
  readonly draws: DrawCount | null;
}

export class AnswerReader {
  #firstChunkMs: number | null = null;
  #lastChunkMs = 0;
  #endMs = 0;
  readonly #gapsMs: number[] = [];
  #firstChunkTokens: number | null = null;
  #promptTokens: number | null = null;
  #completionTokens: number | null = null;
  #finishReason: string | null = null;
  readonly #texts: string[] = [];
  readonly #tokenIds: number[] = [];
  #draws: DrawCount | null = null;
  #isDone = false;

  /** @throws RequestFailure malformed or error_in_stream */
  read(event: ServerSentEvent, atMs: number): void {
    if (event.data.trim() === '[DONE]') {
      this.#isDone = true;
      return;
    }
    const completion = parseEvent(event);
    const { choices, usage } = completion;
    // Each event that tells of draws tells of all so far.
    this.#draws = readDraws(completion) ?? this.#draws;
    if (usage) {
      this.#completionTokens = usage.completion_tokens;
      this.#promptTokens = usage.prompt_tokens ?? this.#promptTokens;
    }
    const choice = choices[0];
    if (!choice) return;
    const text = choice.text ?? '';
    const tokenIds = choice.token_ids ?? [];
    this.#texts.push(text);
    this.#tokenIds.push(...tokenIds);
    this.#endMs = atMs;
    if (text !== '' || tokenIds.length > 0) this.#chunk(atMs, usage?.completion_tokens ?? null);
    this.#finishReason = choice.finish_reason ?? this.#finishReason;
  }

  /** @throws RequestFailure dropped or no_usage */
  finish(): StreamedAnswer {
    if (!this.#isDone) {
      throw new RequestFailure(
        'dropped',
        'The event stream ended without [DONE], so the answer may be cut off.',
      );
    }
    if (this.#completionTokens === null) {
      throw new RequestFailure(
        'no_usage',
        'The stream carried no `usage`, so its tokens cannot be counted. The server must support ' +
          '`stream_options: {"include_usage": true}`.',
      );
    }
    return {
      firstChunkMs: this.#firstChunkMs ?? this.#endMs,
      endMs: this.#endMs,
      gapsMs: this.#gapsMs,
      chunkCount: this.#firstChunkMs === null ? 0 : this.#gapsMs.length + 1,
      firstChunkTokens: this.#firstChunkTokens,
      promptTokens: this.#promptTokens,
      draws: this.#draws,
      completionTokens: this.#completionTokens,
      finishReason: this.#finishReason,
      text: this.#texts.join(''),
      tokenIds: this.#tokenIds,
    };
  }

  #chunk(atMs: number, tokensSoFar: number | null): void {
    if (this.#firstChunkMs === null) {
      this.#firstChunkMs = atMs;
      this.#firstChunkTokens = tokensSoFar;
    } else {
      this.#gapsMs.push(atMs - this.#lastChunkMs);
    }
    this.#lastChunkMs = atMs;
  }
}

function parseEvent({ name, data }: ServerSentEvent): CompletionObject {
  if (name === 'error') throw hiddenError(data, 'An event');
  return parseCompletion(data, 'An event');
}
