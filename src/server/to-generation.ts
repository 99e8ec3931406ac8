/** From the wire to what a completion run takes: names resolved, defaults filled in, everything checked. */
import { CalmError } from '../errors.js';
import type { Encoding } from '../tokenizer/encoding.js';
import type { CompletionBody } from './completion-schema.js';
import { foldSeed, randomSeed } from './seed.js';
import type { ServedModel } from './served-model.js';

/** One prompt of a request. */
export interface Prompt {
  readonly tokens: readonly number[];
  readonly seed: number;
  /** What `echo` puts in front of each of its choices. */
  readonly echoText: string;
}

/** A completion request that the model can run. */
export interface Generation {
  readonly prompts: readonly Prompt[];
  /** Choices for each prompt, n. */
  readonly choiceCount: number;
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly temperature: number;
  readonly numCandidates: number;
  /** Tokens that end a choice; none of them is delivered. */
  readonly stopTokenIds: readonly number[];
  /** Texts that end a choice; none of them is delivered. */
  readonly stopStrings: readonly string[];
  readonly granularity: Granularity;
  /** The model's tokens a chunk, K. */
  readonly chunkSize: number;
}

/** What one event of a stream holds. */
export type Granularity = 'chunk' | 'token';

const openAiMaxTokens = 16;
const openAiTemperature = 1;
/** The paper's N. */
const defaultNumCandidates = 200;
/** Two calls at temperature 0 agree, seed or not. */
const greedySeed = 0;

/**
 * @param body a body that holds to the schema
 * @throws CalmError invalid_request or unsupported, naming the field
 */
export function toGeneration(body: CompletionBody, model: ServedModel): Generation {
  checkLogprobs(body, model);
  const { defaults } = model;
  const maxTokens = body.max_tokens ?? defaults.max_tokens ?? openAiMaxTokens;
  const minTokens = body.min_tokens ?? 0;
  if (minTokens > maxTokens) {
    throw invalid(
      'min_tokens',
      `\`min_tokens\` must not exceed \`max_tokens\` (${maxTokens}). Given: ${minTokens}.`,
    );
  }
  const temperature = body.temperature ?? defaults.temperature ?? openAiTemperature;
  const choiceCount = body.n ?? 1;
  const inputs = listPrompts(body.prompt);
  checkChoiceCount(inputs.length, choiceCount, model);
  return {
    prompts: inputs.map((input, index) => ({
      ...readPrompt(input, index, inputs.length, body.echo ?? false, model),
      seed: chooseSeed(body.seed, temperature),
    })),
    choiceCount,
    maxTokens,
    minTokens,
    temperature,
    numCandidates: body.num_candidates ?? defaults.num_candidates ?? defaultNumCandidates,
    stopTokenIds: [...(body.ignore_eos ? [] : model.endTokenIds), ...checkStopTokenIds(body, model)],
    stopStrings: readStopStrings(body, model),
    granularity: body.stream_granularity ?? 'chunk',
    chunkSize: model.chunkSize,
  };
}

function checkChoiceCount(promptCount: number, n: number, model: ServedModel): void {
  const choiceCount = promptCount * n;
  if (choiceCount <= model.maxChoices) return;
  throw invalid(
    promptCount > 1 ? 'prompt' : 'n',
    `\`prompt\` holds ${promptCount} prompts and \`n\` is ${n}: together they ask for ${choiceCount} choices, and ` +
      `this server takes ${model.maxChoices} at a time. Send several requests.`,
  );
}

/** Each prompt of an array gets a seed of its own where the request names none, so that equal prompts may differ. */
function chooseSeed(seed: number | null | undefined, temperature: number): number {
  if (seed !== null && seed !== undefined) return foldSeed(seed);
  return temperature === 0 ? greedySeed : randomSeed();
}

/** Nulls in their place would be taken for numbers by whoever scores texts, so asking for them is an error. */
function checkLogprobs(body: CompletionBody, model: ServedModel): void {
  const asked = (['logprobs', 'prompt_logprobs'] as const).find(param => isLogprobCount(param, body[param]));
  if (asked === undefined) return;
  const instead = model.kind === 'calm' ? 'compare models by BrierLM (`calm eval`)' : 'leave it out';
  const reason =
    model.kind === 'calm'
      ? 'a CALM draws samples and has no token probabilities that it could report'
      : 'this server does not report token probabilities yet';
  const neutral = asked === 'logprobs' ? '0 or left out' : 'left out';
  throw new CalmError(
    'unsupported',
    `\`${asked}\` must be ${neutral} for ${model.id}: ${reason}; ${instead}. Given: ${body[asked]}.`,
    { param: asked },
  );
}

/** 0 asks for the chosen tokens' own in vLLM's prompt_logprobs, and for nothing that OpenAI's clients read here. */
function isLogprobCount(param: 'logprobs' | 'prompt_logprobs', value: number | null | undefined): boolean {
  return value != null && (param === 'prompt_logprobs' || value !== 0);
}

function checkStopTokenIds(body: CompletionBody, model: ServedModel): readonly number[] {
  const ids = body.stop_token_ids ?? [];
  checkVocabulary(ids, 'stop_token_ids', 'stop_token_ids', model);
  return ids;
}

/** Empty strings would stop everything at once; clients send them for "no stop". */
function readStopStrings(body: CompletionBody, model: ServedModel): readonly string[] {
  const strings = (typeof body.stop === 'string' ? [body.stop] : (body.stop ?? [])).filter(
    text => text !== '',
  );
  if (strings.length > 0 && !model.encoding) {
    throw new CalmError(
      'unsupported',
      `\`stop\` needs a tokenizer, and the package of ${model.id} has none. Use \`stop_token_ids\`.`,
      { param: 'stop' },
    );
  }
  return strings;
}

type PromptInput = string | readonly number[];

function isTokenIds(prompt: readonly unknown[]): prompt is readonly number[] {
  return typeof prompt[0] === 'number';
}

function listPrompts(prompt: CompletionBody['prompt']): readonly PromptInput[] {
  if (prompt === null || prompt === undefined) return [[]];
  if (typeof prompt === 'string') return [prompt];
  return isTokenIds(prompt) ? [prompt] : (prompt as readonly PromptInput[]);
}

function readPrompt(
  input: PromptInput,
  index: number,
  promptCount: number,
  echo: boolean,
  model: ServedModel,
): Omit<Prompt, 'seed'> {
  const { encoding } = model;
  if (typeof input !== 'string') {
    checkVocabulary(input, 'prompt', promptCount > 1 ? `prompt[${index}]` : 'prompt', model);
    return { tokens: input, echoText: echo && encoding ? encoding.decode(input) : '' };
  }
  if (input === '') return { tokens: [], echoText: '' };
  if (!encoding) {
    throw new CalmError(
      'unsupported',
      `\`prompt\` must be an array of token ids: the package of ${model.id} has no tokenizer. Given: a string.`,
      { param: 'prompt' },
    );
  }
  checkTextLength(input, encoding, model);
  return { tokens: encoding.encode(input), echoText: echo ? input : '' };
}

/** Refuses what can not fit before it is tokenized, which would hold up everyone else. */
function checkTextLength(text: string, encoding: Encoding, model: ServedModel): void {
  const leastTokens = Math.ceil(Buffer.byteLength(text) / encoding.longestToken);
  if (leastTokens <= model.maxModelLen) return;
  throw new CalmError(
    'context_length_exceeded',
    `The prompt has at least ${leastTokens} tokens, but this model's context holds ${model.maxModelLen}; shorten the prompt.`,
    { param: 'prompt' },
  );
}

function checkVocabulary(ids: readonly number[], param: string, place: string, model: ServedModel): void {
  const index = ids.findIndex(id => id >= model.vocabSize);
  if (index < 0) return;
  throw invalid(
    param,
    `\`${place}[${index}]\` must be a token id of ${model.id}, from 0 to ${model.vocabSize - 1}. Given: ${ids[index]}.`,
  );
}

function invalid(param: string, message: string): CalmError {
  return new CalmError('invalid_request', message, { param });
}
