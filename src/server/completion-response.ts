/** OpenAI's text_completion objects, whole and as stream events: one shape, filled at once or bit by bit. */
import type { FinishReason } from '../runtime/request.js';
import type { ChoiceDelta } from './completion-run.js';
import type { Generation } from './to-generation.js';

/** One choice of an answer or of a stream event. `logprobs` is there and null: strict clients look for the key. */
export interface CompletionChoice {
  readonly index: number;
  readonly text: string;
  readonly logprobs: null;
  readonly finish_reason: FinishReason | null;
  /** The stop string or token id that ended the choice, as vLLM reports it. */
  readonly stop_reason: string | number | null;
  readonly token_ids?: readonly number[];
  /** The prompt's ids: in an answer, and in the first event of each choice. */
  readonly prompt_token_ids?: readonly number[];
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
}

export interface CompletionResponse {
  readonly id: string;
  readonly object: 'text_completion';
  readonly created: number;
  readonly model: string;
  readonly choices: readonly CompletionChoice[];
  readonly usage?: Usage | null;
}

/** What every object of one answer shares. */
export interface CompletionHead {
  readonly id: string;
  readonly object: 'text_completion';
  readonly created: number;
  readonly model: string;
}

/** What the client wants to see beside the text. */
export interface AnswerOptions {
  readonly returnTokenIds: boolean;
  /** An event with the usage at the end of a stream. */
  readonly includeUsage: boolean;
  /** The usage so far in every event of a stream. */
  readonly continuousUsage: boolean;
}

/** Counts the delivered tokens of an answer; each prompt counts once, however many choices it has. */
class UsageCounter {
  readonly #promptTokens: number;
  #completionTokens = 0;

  constructor(generation: Generation) {
    this.#promptTokens = generation.prompts.reduce((sum, prompt) => sum + prompt.tokens.length, 0);
  }

  add(delta: ChoiceDelta): void {
    this.#completionTokens += delta.tokenIds.length;
  }

  get usage(): Usage {
    return {
      prompt_tokens: this.#promptTokens,
      completion_tokens: this.#completionTokens,
      total_tokens: this.#promptTokens + this.#completionTokens,
    };
  }
}

/** Reads all deltas and gives the whole answer. */
export async function collectCompletion(
  deltas: AsyncIterable<ChoiceDelta>,
  head: CompletionHead,
  generation: Generation,
  options: AnswerOptions,
): Promise<CompletionResponse> {
  const counter = new UsageCounter(generation);
  const byChoice = Array.from(
    { length: generation.prompts.length * generation.choiceCount },
    () => [] as ChoiceDelta[],
  );
  for await (const delta of deltas) {
    counter.add(delta);
    byChoice[delta.index]?.push(delta);
  }
  const choices = byChoice.map((parts, index) => {
    const last = parts.at(-1);
    return {
      index,
      text: parts.map(part => part.text).join(''),
      logprobs: null,
      finish_reason: last?.finishReason ?? null,
      stop_reason: last?.stopReason ?? null,
      ...tokenIdFields(
        index,
        parts.flatMap(part => part.tokenIds),
        true,
        generation,
        options,
      ),
    };
  });
  return { ...head, choices, usage: counter.usage };
}

/** One event for each delta, then the usage if it was asked for. */
export async function* streamCompletion(
  deltas: AsyncIterable<ChoiceDelta>,
  head: CompletionHead,
  generation: Generation,
  options: AnswerOptions,
): AsyncGenerator<CompletionResponse, void> {
  const counter = new UsageCounter(generation);
  const begun = new Set<number>();
  for await (const delta of deltas) {
    counter.add(delta);
    const { index } = delta;
    const choice = {
      index,
      text: delta.text,
      logprobs: null,
      finish_reason: delta.finishReason,
      stop_reason: delta.stopReason,
      ...tokenIdFields(index, delta.tokenIds, !begun.has(index), generation, options),
    };
    begun.add(index);
    yield { ...head, choices: [choice], ...usageField(counter, options) };
  }
  if (options.includeUsage) yield { ...head, choices: [], usage: counter.usage };
}

/** Clients that did not ask for usage must not meet the key. */
function usageField(counter: UsageCounter, options: AnswerOptions): { usage?: Usage | null } {
  if (!options.includeUsage) return {};
  return { usage: options.continuousUsage ? counter.usage : null };
}

function tokenIdFields(
  index: number,
  tokenIds: readonly number[],
  isFirst: boolean,
  generation: Generation,
  options: AnswerOptions,
): Pick<CompletionChoice, 'token_ids' | 'prompt_token_ids'> {
  if (!options.returnTokenIds) return {};
  const prompt = generation.prompts[Math.floor(index / generation.choiceCount)];
  return {
    token_ids: tokenIds,
    ...(isFirst && prompt ? { prompt_token_ids: prompt.tokens } : {}),
  };
}
