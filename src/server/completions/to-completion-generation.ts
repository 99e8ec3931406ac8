/** The run of a completion request: its prompts, how many choices are made for each, and the rest as in a chat. */
import { CalmError } from '../../errors.js';
import { buildGeneration } from '../generation/build-generation.js';
import type { Generation } from '../generation/generation.js';
import { refuseLogprobs } from '../generation/refuse-logprobs.js';
import { requestDefaults } from '../models/request-defaults.js';
import type { ServedModel } from '../models/served-model.js';
import type { CompletionBody } from './completion-schema.js';
import { readPrompts } from './read-prompts.js';

/**
 * @param body a body that holds to the schema
 * @throws CalmError invalid_request, unsupported or context_length_exceeded, naming the field
 */
export function toCompletionGeneration(body: CompletionBody, model: ServedModel): Generation {
  refuseLogprobs(body, model);
  const maxTokens = body.max_tokens ?? requestDefaults(model).maxTokens;
  const logprobs = model.kind === 'token' ? (body.logprobs ?? null) : null;
  return buildGeneration(body, model, {
    prompts: readPrompts(body, model),
    maxTokens,
    candidateCount: readBestOf(body),
    logprobs,
    hasPromptLogprobs: logprobs !== null && (body.echo ?? false),
  });
}

/** 0 stands for nothing; a stream has no place for choices that are taken back. */
function readBestOf({ best_of, n, stream }: CompletionBody): number {
  const choiceCount = n ?? 1;
  const bestOf = best_of || choiceCount;
  if (bestOf < choiceCount) {
    throw invalid('best_of', `\`best_of\` must not be less than \`n\` (${choiceCount}). Given: ${bestOf}.`);
  }
  if (stream && bestOf > choiceCount) {
    throw invalid(
      'best_of',
      `\`best_of\` must be \`n\` (${choiceCount}) or left out in a stream: the best choices are known at the end. ` +
        `Given: ${bestOf}.`,
    );
  }
  return bestOf;
}

function invalid(param: string, message: string): CalmError {
  return new CalmError('invalid_request', message, { param });
}
