/** OpenAI's chat.completion objects, and the chat.completion.chunk events of a stream. */
import type { FinishReason } from '../../runtime/request.js';
import {
  AnswerMeter,
  meterFields,
  type Timings,
  type Usage,
  type UsageOptions,
} from '../answers/answer-meter.js';
import { type ChunkStatistics, statisticsFields } from '../answers/chunk-statistics.js';
import type { AnswerHead } from '../answers/respond.js';
import type { TokenNames } from '../answers/token-names.js';
import type { ChoiceDelta } from '../generation/completion-run.js';
import type { Generation } from '../generation/generation.js';
import { type ChatLogprobs, chatLogprobs } from './chat-logprobs.js';

/** What the client wants to see beside the text. */
export interface ChatOptions extends UsageOptions {
  readonly returnTokenIds: boolean;
  readonly tokenNames: TokenNames;
}

interface Ended {
  /** There even where it is null: strict clients look for the key. */
  readonly logprobs: ChatLogprobs | null;
  readonly finish_reason: FinishReason | null;
  /** The stop string or token id that ended the choice, as vLLM reports it; in a stream, with the finish reason. */
  readonly stop_reason?: string | number | null;
  readonly token_ids?: readonly number[];
  readonly chunk_statistics?: readonly ChunkStatistics[];
}

export interface ChatResponse extends AnswerHead {
  readonly object: 'chat.completion';
  readonly choices: readonly (Ended & {
    readonly index: number;
    readonly message: { readonly role: 'assistant'; readonly content: string; readonly refusal: null };
  })[];
  readonly usage: Usage;
  readonly timings: Timings;
  readonly prompt_token_ids?: readonly number[];
}

export interface ChatEvent extends AnswerHead {
  readonly object: 'chat.completion.chunk';
  readonly choices: readonly (Ended & {
    readonly index: number;
    readonly delta: { readonly role?: 'assistant'; readonly content?: string };
  })[];
  readonly usage?: Usage | null;
  readonly timings?: Timings;
}

/** Reads all deltas and gives the whole answer. */
export async function collectChat(
  deltas: AsyncIterable<ChoiceDelta>,
  head: AnswerHead,
  generation: Generation,
  options: ChatOptions,
): Promise<ChatResponse> {
  const meter = new AnswerMeter(generation);
  const byChoice = Array.from({ length: generation.choiceCount }, () => [] as ChoiceDelta[]);
  for await (const delta of deltas) {
    meter.add(delta);
    byChoice[delta.index]?.push(delta);
  }
  const choices = byChoice.map((parts, index) => ({
    index,
    message: {
      role: 'assistant' as const,
      content: parts.map(part => part.text).join(''),
      refusal: null,
    },
    logprobs: writeLogprobs(parts, generation, options),
    finish_reason: parts.at(-1)?.finishReason ?? null,
    stop_reason: parts.at(-1)?.stopReason ?? null,
    ...(options.returnTokenIds ? { token_ids: parts.flatMap(part => part.tokenIds) } : {}),
    ...statisticsFields(parts, generation),
  }));
  return {
    ...head,
    object: 'chat.completion',
    choices,
    usage: meter.usage,
    timings: meter.timings,
    ...(options.returnTokenIds ? { prompt_token_ids: generation.prompts[0]?.tokens ?? [] } : {}),
  };
}

/**
 * The role of each choice at once, so that the client hears of the answer while it waits for a slot; then one event
 * for each delta that has text, one without text for each choice that ends, and the usage if it was asked for.
 */
export async function* streamChat(
  deltas: AsyncIterable<ChoiceDelta>,
  head: AnswerHead,
  generation: Generation,
  options: ChatOptions,
): AsyncGenerator<ChatEvent, void> {
  const meter = new AnswerMeter(generation);
  const event = (choices: ChatEvent['choices']): ChatEvent => ({
    ...head,
    object: 'chat.completion.chunk',
    choices,
    ...meterFields(meter, options),
  });
  const going = { logprobs: null, finish_reason: null };
  for (let index = 0; index < generation.choiceCount; index += 1) {
    yield event([{ index, delta: { role: 'assistant', content: '' }, ...going }]);
  }
  for await (const delta of deltas) {
    const { index, text, finishReason, stopReason, tokenIds } = delta;
    meter.add(delta);
    const ids = options.returnTokenIds ? { token_ids: tokenIds } : {};
    const statistics = statisticsFields([delta], generation);
    const logprobs = writeLogprobs([delta], generation, options);
    const tellsOfTokens = options.returnTokenIds || logprobs !== null;
    if (text !== '' || statistics.chunk_statistics || (tellsOfTokens && tokenIds.length > 0)) {
      yield event([{ index, delta: { content: text }, ...going, logprobs, ...ids, ...statistics }]);
    }
    if (finishReason === null) continue;
    meter.choiceEnded();
    yield event([{ index, delta: {}, logprobs: null, finish_reason: finishReason, stop_reason: stopReason }]);
  }
  if (options.includeUsage) yield { ...event([]), usage: meter.usage };
}

function writeLogprobs(
  parts: readonly ChoiceDelta[],
  { logprobs }: Generation,
  { tokenNames }: ChatOptions,
): ChatLogprobs | null {
  return logprobs === null
    ? null
    : chatLogprobs(
        parts.flatMap(({ logprobs: entries = [], tokenIds }) => entries.slice(0, tokenIds.length)),
        tokenNames,
      );
}
