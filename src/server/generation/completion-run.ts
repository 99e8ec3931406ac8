/** Runs a completion: one engine request for each choice, their text, and all of it as one stream of deltas. */
import { CalmError } from '../../errors.js';
import type { ChunkEvent, FinishReason, GenerationRequest } from '../../runtime/request.js';
import type { SamplingSettings } from '../../sampler/settings.js';
import type { TokenLogprobs } from '../../sampler/token-sampling/token-logprobs.js';
import { compileStopStrings, type StopAutomaton } from '../../tokenizer/stop-strings.js';
import type { ServedModel } from '../models/served-model.js';
import { type ChoiceText, createChoiceText, type TextStep } from './choice-text.js';
import type { Generation } from './generation.js';
import { interleave } from './interleave.js';

/** What one chunk adds to one choice. The last delta of a choice, and only that one, has a finish reason. */
export interface ChoiceDelta {
  /** Number of the choice in the answer: prompt * n + choice. */
  readonly index: number;
  readonly text: string;
  /** Tokens whose text was delivered with this delta or before. */
  readonly tokenIds: readonly number[];
  readonly finishReason: FinishReason | null;
  /** The stop string or token that ended the choice; null where the end of text, a limit or nothing did. */
  readonly stopReason: string | number | null;
  /** What the engine says of the chunk that begins with this delta; null for further tokens of a chunk. */
  readonly chunk: ChunkWork | null;
  /** One entry for each of `tokenIds`, and for the stop token that ends the choice, where they are asked for. */
  readonly logprobs?: readonly TokenLogprobs[];
  /** Of the prompt, with the first delta, where they are asked for. */
  readonly promptLogprobs?: readonly TokenLogprobs[];
}

/** What it took to choose a chunk. */
export type ChunkWork = Pick<
  ChunkEvent,
  'reusedPromptTokens' | 'draws' | 'decodedPositions' | 'fallback' | 'statistics' | 'timing'
>;

/**
 * Admits every choice of the request, or none.
 *
 * @param controller ends all of them when it aborts; it is aborted when the stream is left
 * @throws CalmError at once where a choice is refused; a later failure is thrown out of the stream
 */
export function startCompletion(
  model: ServedModel,
  generation: Generation,
  controller: AbortController,
): AsyncIterable<ChoiceDelta> {
  const plans = planChoices(generation, model.kind);
  try {
    const first = plans[0];
    if (first && first.request.maxTokens > 0) model.engine.check(first.request, plans.length);
    const { stopStrings } = generation;
    const stops = stopStrings.length > 0 ? compileStopStrings(stopStrings) : null;
    const choices = plans.map(plan => startChoice(model, plan, stops, generation, controller.signal));
    return endTogether(interleave(choices), controller);
  } catch (error) {
    controller.abort(error);
    throw error;
  }
}

/** One choice of one prompt. */
interface ChoicePlan {
  readonly index: number;
  readonly echoText: string;
  readonly request: GenerationRequest;
}

function planChoices(generation: Generation, kind: ServedModel['kind']): ChoicePlan[] {
  const { prompts, promptAlignment, candidateCount, maxTokens, minTokens, stopTokenIds, hasPromptLogprobs } =
    generation;
  const settings = samplingOf(generation, kind);
  // Whoever wants the prompt's log-probabilities alone needs the model all the same.
  const engineTokens = hasPromptLogprobs ? Math.max(maxTokens, 1) : maxTokens;
  return prompts.flatMap((prompt, promptIndex) =>
    Array.from({ length: candidateCount }, (_, choice) => ({
      index: promptIndex * candidateCount + choice,
      echoText: prompt.echoText,
      request: {
        promptTokens: prompt.tokens,
        promptAlignment,
        maxTokens: engineTokens,
        minTokens,
        sampling: { ...settings, seed: prompt.seed, choice },
        stopTokenIds,
        ...(hasPromptLogprobs ? { promptLogprobs: generation.logprobs ?? 0 } : {}),
      },
    })),
  );
}

/** The settings that all choices share. To find the best of a CALM's choices, their chunks are counted. */
function samplingOf(
  generation: Generation,
  kind: ServedModel['kind'],
): Omit<SamplingSettings, 'seed' | 'choice'> {
  const { temperature, numCandidates, greedyError, sampler, temperatureLaw } = generation;
  const { controls, logprobs, chunkStatistics } = generation;
  const isRanked = generation.candidateCount > generation.choiceCount;
  const hasLogprobs = logprobs !== null || (isRanked && kind === 'token');
  return {
    temperature,
    numCandidates,
    greedyError,
    sampler,
    temperatureLaw,
    chunkStatistics: chunkStatistics || (isRanked && kind === 'calm'),
    ...(controls ? { controls } : {}),
    ...(hasLogprobs ? { logprobs: logprobs ?? 0 } : {}),
  };
}

function startChoice(
  model: ServedModel,
  { index, echoText, request }: ChoicePlan,
  stops: StopAutomaton | null,
  { granularity, includeStopString, maxTokens }: Generation,
  signal: AbortSignal,
): AsyncIterable<ChoiceDelta> {
  if (request.maxTokens === 0) return emptyChoice(index, echoText);
  const chunks = model.engine.submit(request, signal);
  if (maxTokens === 0) return scoredPrompt(chunks, index, echoText);
  const split = granularity === 'token' ? splitChunk : wholeChunk;
  return readChoice(
    chunks,
    split,
    index,
    echoText,
    createChoiceText(model.encoding, stops, includeStopString),
  );
}

/** Whoever leaves the stream, or whatever choice fails, takes the other choices along. */
function endTogether<Item>(
  stream: ReturnType<typeof interleave<Item>>,
  controller: AbortController,
): AsyncIterableIterator<Item> {
  const pass = (result: IteratorResult<Item>): IteratorResult<Item> => {
    if (result.done) controller.abort();
    return result;
  };
  const fail = (error: unknown): never => {
    // An aborted engine request says only that it was aborted; the controller knows why.
    const reason = controller.signal.aborted ? controller.signal.reason : error;
    controller.abort();
    throw reason;
  };
  return {
    next: () => stream.next().then(pass, fail),
    return() {
      // Before the abort: a choice that a reader leaves was not given up.
      const left = stream.return();
      controller.abort();
      return left;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** `max_tokens: 0` asks for nothing, or with `echo` for the prompt. */
async function* emptyChoice(index: number, text: string): AsyncGenerator<ChoiceDelta, void> {
  yield { index, text, tokenIds: [], finishReason: 'length', stopReason: null, chunk: null };
}

/** The same with the log-probabilities of the prompt: the token that the engine makes after it is not delivered. */
async function* scoredPrompt(
  chunks: AsyncIterable<ChunkEvent>,
  index: number,
  text: string,
): AsyncGenerator<ChoiceDelta, void> {
  for await (const { promptLogprobs = [] } of chunks) {
    const end = { finishReason: 'length' as const, stopReason: null, chunk: null };
    yield { index, text, tokenIds: [], ...end, logprobs: [], promptLogprobs };
    return;
  }
}

/** What becomes one delta: a chunk, or a token of one. */
interface ChunkPart {
  readonly event: ChunkEvent;
  readonly isFirst: boolean;
}

function wholeChunk(event: ChunkEvent): ChunkPart[] {
  return [{ event, isFirst: true }];
}

/** Each token as if it were a chunk; what ended the choice stands with the last one. */
function splitChunk(chunk: ChunkEvent): ChunkPart[] {
  const { stopTokenId: _, ...going } = chunk;
  const lastIndex = Math.max(0, chunk.tokens.length - 1);
  const before = Array.from({ length: lastIndex }, (_, index) => ({
    event: { ...going, ...takeTokens(chunk, index, index + 1), finishReason: null },
    isFirst: index === 0,
  }));
  return [...before, { event: { ...chunk, ...takeTokens(chunk, lastIndex) }, isFirst: lastIndex === 0 }];
}

function takeTokens({ tokens, logprobs }: ChunkEvent, start: number, end?: number) {
  return { tokens: tokens.slice(start, end), ...(logprobs ? { logprobs: logprobs.slice(start, end) } : {}) };
}

async function* readChoice(
  chunks: AsyncIterable<ChunkEvent>,
  split: (event: ChunkEvent) => readonly ChunkPart[],
  index: number,
  echoText: string,
  choiceText: ChoiceText,
): AsyncGenerator<ChoiceDelta, void> {
  let front = echoText;
  /** Of tokens whose text is not let out yet. */
  const held: TokenLogprobs[] = [];
  for await (const chunk of chunks) {
    for (const { event, isFirst } of split(chunk)) {
      const delta = readChunk(event, choiceText);
      if (event.logprobs) held.push(...event.logprobs);
      yield {
        ...delta,
        index,
        text: front + delta.text,
        chunk: isFirst ? event : null,
        ...(event.logprobs ? { logprobs: held.splice(0, scoredTokens(delta)) } : {}),
        ...(event.promptLogprobs ? { promptLogprobs: event.promptLogprobs } : {}),
      };
      front = '';
      // Leaving the loop tells the engine that a stop string ended the choice.
      if (delta.finishReason) return;
    }
  }
  throw new CalmError('internal', 'The engine ended a choice without saying why.');
}

/** A stop token is scored though it is not delivered: it was drawn. What a stop string takes back is not. */
function scoredTokens({ tokenIds, finishReason, stopReason }: Delta): number {
  return finishReason !== null && typeof stopReason !== 'string' ? Number.POSITIVE_INFINITY : tokenIds.length;
}

type Delta = Omit<ChoiceDelta, 'index' | 'chunk'>;

function readChunk(chunk: ChunkEvent, choiceText: ChoiceText): Delta {
  const step = choiceText.push(chunk.tokens);
  if (step.stopString !== null) return stoppedBy(step);
  if (chunk.finishReason === null) return { ...step, finishReason: null, stopReason: null };
  const rest = choiceText.flush();
  const whole = {
    text: step.text + rest.text,
    tokenIds: [...step.tokenIds, ...rest.tokenIds],
    stopString: rest.stopString,
  };
  if (whole.stopString !== null) return stoppedBy(whole);
  return { ...whole, finishReason: chunk.finishReason, stopReason: chunk.stopTokenId ?? null };
}

function stoppedBy(step: TextStep): Delta {
  return { ...step, finishReason: 'stop', stopReason: step.stopString };
}
