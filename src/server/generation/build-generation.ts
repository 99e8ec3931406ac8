/** From the fields that completions and chats share to what runs: defaults filled in, everything checked. */
import { CalmError } from '../../errors.js';
import { DEFAULT_SAMPLER, DEFAULT_TEMPERATURE_LAW } from '../../sampler/settings.js';
import { requestDefaults } from '../models/request-defaults.js';
import type { ServedModel } from '../models/served-model.js';
import { checkVocabulary } from './check-prompt.js';
import type { Generation, UnseededPrompt } from './generation.js';
import type { GenerationFields } from './generation-fields.js';
import { foldSeed, randomSeed } from './seed.js';
import { checkSomethingIsLeft, readTokenControls } from './token-controls.js';

/** Two calls at temperature 0 agree, seed or not. */
const greedySeed = 0;

/** What completions and chats find out each in its own way. */
export interface GenerationParts {
  readonly prompts: readonly UnseededPrompt[];
  readonly maxTokens: number;
  readonly candidateCount: number;
  readonly logprobs: number | null;
  readonly hasPromptLogprobs: boolean;
  /** Tokens that end the text beside those that end a document. */
  readonly endTokenIds?: readonly number[];
}

/** @throws CalmError invalid_request or unsupported, naming the field */
export function buildGeneration(
  fields: GenerationFields,
  model: ServedModel,
  { prompts, maxTokens, candidateCount, logprobs, hasPromptLogprobs, endTokenIds = [] }: GenerationParts,
): Generation {
  const { defaults } = model;
  const minTokens = fields.min_tokens ?? 0;
  if (minTokens > maxTokens) {
    throw invalid(
      'min_tokens',
      `\`min_tokens\` must not exceed \`max_tokens\` (${maxTokens}). Given: ${minTokens}.`,
    );
  }
  const temperature = fields.temperature ?? requestDefaults(model).temperature;
  checkChoiceCount(prompts.length, fields.n ?? 1, candidateCount, model);
  const endIds = fields.ignore_eos ? [] : [...model.endTokenIds, ...endTokenIds];
  const stopTokenIds = [...new Set([...endIds, ...readStopTokenIds(fields, model)])];
  const controls = readTokenControls(fields, model);
  if (controls) checkSomethingIsLeft(controls, stopTokenIds, model);
  return {
    prompts: prompts.map(prompt => ({
      ...truncate(prompt, fields, model),
      seed: chooseSeed(fields.seed, temperature),
    })),
    promptAlignment: fields.prompt_alignment ?? defaults.prompt_alignment ?? 'bos',
    choiceCount: fields.n ?? 1,
    candidateCount,
    maxTokens,
    minTokens,
    temperature,
    numCandidates: fields.num_candidates ?? requestDefaults(model).numCandidates,
    greedyError: fields.greedy_error ?? 0,
    sampler: fields.sampler ?? DEFAULT_SAMPLER,
    temperatureLaw: fields.temperature_law ?? defaults.temperature_law ?? DEFAULT_TEMPERATURE_LAW,
    chunkStatistics: readChunkStatistics(fields, model),
    controls,
    logprobs,
    hasPromptLogprobs,
    stopTokenIds,
    stopStrings: readStopStrings(fields, model),
    includeStopString: fields.include_stop_str_in_output ?? false,
    granularity: fields.stream_granularity ?? 'chunk',
    chunkSize: model.chunkSize,
  };
}

/** Keeps the end of a prompt, which is what the text goes on from, unless the other side is asked for. */
function truncate(
  prompt: UnseededPrompt,
  { truncate_prompt_tokens, truncation_side }: GenerationFields,
  { encoding, maxModelLen }: ServedModel,
): UnseededPrompt {
  const most = truncate_prompt_tokens === -1 ? maxModelLen : truncate_prompt_tokens;
  if (!most || prompt.tokens.length <= most) return prompt;
  const tokens = truncation_side === 'right' ? prompt.tokens.slice(0, most) : prompt.tokens.slice(-most);
  return { tokens, echoText: prompt.echoText === '' || !encoding ? '' : encoding.decode(tokens) };
}

function checkChoiceCount(promptCount: number, n: number, bestOf: number, model: ServedModel): void {
  const choiceCount = promptCount * bestOf;
  if (choiceCount <= model.maxChoices) return;
  const [name, each] = bestOf > n ? ['best_of', bestOf] : ['n', n];
  throw invalid(
    promptCount > 1 ? 'prompt' : name,
    `\`prompt\` holds ${promptCount} prompts and \`${name}\` is ${each}: together they ask for ${choiceCount} choices, and ` +
      `this server takes ${model.maxChoices} at a time. Send several requests.`,
  );
}

function readChunkStatistics(fields: GenerationFields, model: ServedModel): boolean {
  const wanted = fields.chunk_statistics ?? false;
  if (!wanted || model.kind === 'calm') return wanted;
  throw new CalmError(
    'unsupported',
    `\`chunk_statistics\` must be false or left out for ${model.id}: it counts the candidates of a CALM, and this is a ` +
      'token model. Given: true.',
    { param: 'chunk_statistics' },
  );
}

/** Each prompt of an array gets a seed of its own where the request names none, so that equal prompts may differ. */
function chooseSeed(seed: number | null | undefined, temperature: number): number {
  if (seed !== null && seed !== undefined) return foldSeed(seed);
  return temperature === 0 ? greedySeed : randomSeed();
}

function readStopTokenIds(fields: GenerationFields, model: ServedModel): readonly number[] {
  const ids = fields.stop_token_ids ?? [];
  checkVocabulary(ids, 'stop_token_ids', 'stop_token_ids', model);
  return ids;
}

/** Empty strings would stop everything at once; clients send them for "no stop". */
function readStopStrings(fields: GenerationFields, model: ServedModel): readonly string[] {
  const strings = (typeof fields.stop === 'string' ? [fields.stop] : (fields.stop ?? [])).filter(
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

function invalid(param: string, message: string): CalmError {
  return new CalmError('invalid_request', message, { param });
}
