/** Prompts as they come over the wire, turned into tokens of a model. */
import { CalmError } from '../../errors.js';
import type { Encoding } from '../../tokenizer/encoding.js';
import type { CompletionBody } from '../completions/completion-schema.js';
import type { ServedModel } from '../models/served-model.js';

/** A prompt that has no random numbers yet. */
export interface UnseededPrompt {
  readonly tokens: readonly number[];
  /** What `echo` puts in front of each of its choices. */
  readonly echoText: string;
}

type PromptInput = string | readonly number[];

/** @throws CalmError invalid_request, unsupported or context_length_exceeded, naming `prompt` */
export function readPrompts(body: CompletionBody, model: ServedModel): readonly UnseededPrompt[] {
  const inputs = listPrompts(body.prompt);
  return inputs.map((input, index) => readPrompt(input, index, inputs.length, body.echo ?? false, model));
}

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
): UnseededPrompt {
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
  checkTextLength(Buffer.byteLength(input), 'prompt', encoding, model);
  return { tokens: encoding.encode(input), echoText: echo ? input : '' };
}

/** Refuses what can not fit before it is tokenized, which would hold up everyone else. */
export function checkTextLength(bytes: number, param: string, encoding: Encoding, model: ServedModel): void {
  const leastTokens = Math.ceil(bytes / encoding.longestToken);
  if (leastTokens <= model.maxModelLen) return;
  throw new CalmError(
    'context_length_exceeded',
    `The prompt has at least ${leastTokens} tokens, but this model's context holds ${model.maxModelLen}; shorten the prompt.`,
    { param },
  );
}

/** @throws CalmError invalid_request for ids that the model does not have, naming the place of the first */
export function checkVocabulary(
  ids: readonly number[],
  param: string,
  place: string,
  model: ServedModel,
): void {
  const index = ids.findIndex(id => id >= model.vocabSize);
  if (index < 0) return;
  throw new CalmError(
    'invalid_request',
    `\`${place}[${index}]\` must be a token id of ${model.id}, from 0 to ${model.vocabSize - 1}. Given: ${ids[index]}.`,
    { param },
  );
}
