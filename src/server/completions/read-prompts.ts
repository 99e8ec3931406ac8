/** Prompts as they come over the wire, turned into tokens of a model. */
import { CalmError } from '../../errors.js';
import { checkTextLength, checkVocabulary } from '../generation/check-prompt.js';
import type { UnseededPrompt } from '../generation/generation.js';
import type { ServedModel } from '../models/served-model.js';
import type { CompletionBody } from './completion-schema.js';

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
