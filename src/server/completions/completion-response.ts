/** OpenAI's text_completion objects, whole and as stream events: one shape, filled at once or bit by bit. */
import type { FinishReason } from '../../runtime/request.js';
import {
  AnswerMeter,
  meterFields,
  type Timings,
  type Usage,
  type UsageOptions,
} from '../answers/answer-meter.js';
import { type ChunkStatistics, statisticsFields } from '../answers/chunk-statistics.js';
import type { TokenNames } from '../answers/token-names.js';
import type { ChoiceDelta } from '../generation/completion-run.js';
import type { Generation } from '../generation/generation.js';
import type { ServedModel } from '../models/served-model.js';
import { chooseBest } from './best-of.js';
import { type CompletionLogprobs, CompletionLogprobsWriter, joinLogprobs } from './completion-logprobs.js';

/** One choice of an answer or of a stream event. `logprobs` is there even where it is null: strict clients look for it. */
export interface CompletionChoice {
  readonly index: number;
  readonly text: string;
  readonly logprobs: CompletionLogprobs | null;
  readonly finish_reason: FinishReason | null;
  /** The stop string or token id that ended the choice, as vLLM reports it. */
  readonly stop_reason: string | number | null;
  readonly token_ids?: readonly number[];
  /** The prompt's ids: in an answer, and in the first event of each choice. */
  readonly prompt_token_ids?: readonly number[];
  readonly chunk_statistics?: readonly ChunkStatistics[];
}

export interface CompletionResponse {
  readonly id: string;
  readonly object: 'text_completion';
  readonly created: number;
  readonly model: string;
  readonly choices: readonly CompletionChoice[];
  readonly usage?: Usage | null;
  /** In a whole answer, and in a stream's event that ends its last choice. */
  readonly timings?: Timings;
}

/** What every object of one answer shares. */
export interface CompletionHead {
  readonly id: string;
  readonly object: 'text_completion';
  readonly created: number;
  readonly model: string;
}

/** What the client wants to see beside the text. */
export interface AnswerOptions extends UsageOptions {
  readonly returnTokenIds: boolean;
  readonly tokenNames: TokenNames;
  readonly model: Pick<ServedModel, 'encoding' | 'vocabSize'>;
}

/** Reads all deltas and gives the whole answer. */
export async function collectCompletion(
  deltas: AsyncIterable<ChoiceDelta>,
  head: CompletionHead,
  generation: Generation,
  options: AnswerOptions,
): Promise<CompletionResponse> {
  const meter = new AnswerMeter(generation);
  const byPrompt = generation.prompts.map(() =>
    Array.from({ length: generation.candidateCount }, () => [] as ChoiceDelta[]),
  );
  for await (const delta of deltas) {
    meter.add(delta);
    const { candidateCount } = generation;
    byPrompt[Math.floor(delta.index / candidateCount)]?.[delta.index % candidateCount]?.push(delta);
  }
  const answered = byPrompt.flatMap(choices =>
    chooseBest(choices, generation.choiceCount, options.model.vocabSize),
  );
  const choices = answered.map((parts, index) => {
    const last = parts.at(-1);
    const logprobs = createLogprobs(index, generation, options);
    return {
      index,
      text: parts.map(part => part.text).join(''),
      logprobs: logprobs && joinLogprobs(parts.map(logprobs)),
      finish_reason: last?.finishReason ?? null,
      stop_reason: last?.stopReason ?? null,
      ...tokenIdFields(
        index,
        parts.flatMap(part => part.tokenIds),
        true,
        generation,
        options,
      ),
      ...statisticsFields(parts, generation),
    };
  });
  return { ...head, choices, usage: meter.usage, timings: meter.timings };
}

/** One event for each delta, then the usage if it was asked for. */
export async function* streamCompletion(
  deltas: AsyncIterable<ChoiceDelta>,
  head: CompletionHead,
  generation: Generation,
  options: AnswerOptions,
): AsyncGenerator<CompletionResponse, void> {
  const meter = new AnswerMeter(generation);
  const begun = new Set<number>();
  const logprobs = generation.prompts
    .flatMap(() => new Array<null>(generation.choiceCount).fill(null))
    .map((_, index) => createLogprobs(index, generation, options));
  for await (const delta of deltas) {
    meter.add(delta);
    if (delta.finishReason) meter.choiceEnded();
    const { index } = delta;
    const choice = {
      index,
      text: delta.text,
      logprobs: logprobs[index]?.(delta) ?? null,
      finish_reason: delta.finishReason,
      stop_reason: delta.stopReason,
      ...tokenIdFields(index, delta.tokenIds, !begun.has(index), generation, options),
      ...statisticsFields([delta], generation),
    };
    begun.add(index);
    yield { ...head, choices: [choice], ...meterFields(meter, options) };
  }
  if (options.includeUsage) yield { ...head, choices: [], usage: meter.usage, timings: meter.timings };
}

/** What writes the `logprobs` of a choice's deltas, in their order; null where the request asks for none. */
function createLogprobs(
  index: number,
  { logprobs, hasPromptLogprobs, prompts, choiceCount }: Generation,
  { tokenNames, model }: AnswerOptions,
): ((delta: ChoiceDelta) => CompletionLogprobs) | null {
  if (logprobs === null) return null;
  const writer = new CompletionLogprobsWriter(tokenNames, model.encoding);
  const prompt = prompts[Math.floor(index / choiceCount)];
  return ({ logprobs: entries = [], promptLogprobs }) => {
    const echoed =
      hasPromptLogprobs && promptLogprobs && prompt
        ? [writer.writePrompt(prompt.tokens, promptLogprobs)]
        : [];
    return joinLogprobs([...echoed, writer.write(entries)]);
  };
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
