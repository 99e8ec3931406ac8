/** Probabilities of tokens, where a model does not report them. */
import { CalmError } from '../../errors.js';
import { excerpt } from '../excerpt.js';
import type { ServedModel } from '../models/served-model.js';

/** By field, the values that ask for no probabilities, and how a sentence calls them. */
const harmless: Readonly<Record<string, { readonly values: readonly unknown[]; readonly named: string }>> = {
  logprobs: { values: [0, false], named: '0, false' },
  top_logprobs: { values: [0], named: '0' },
  // Here 0 asks for the prompt's own.
  prompt_logprobs: { values: [], named: 'null' },
};

/**
 * A token model has those of its answers, and of its prompts where they are echoed; a CALM has none.
 * Nulls in their place would be taken for numbers by whoever scores texts, so asking for them is an error.
 *
 * @throws CalmError unsupported, naming the field and what to use instead
 */
export function refuseLogprobs(body: Readonly<Record<string, unknown>>, model: ServedModel): void {
  for (const [param, { values, named }] of Object.entries(harmless)) {
    const value = body[param];
    if (value === null || value === undefined || values.includes(value)) continue;
    if (model.kind === 'token' && param !== 'prompt_logprobs') continue;
    const reason =
      model.kind === 'calm'
        ? 'a CALM draws samples and has no token probabilities that it could report. `chunk_statistics`: true counts how ' +
          'often fresh candidates agree with each chosen token, with 95 % intervals; `calm eval` compares models by ' +
          'BrierLM'
        : 'those of the prompt come with `echo`: true and `logprobs` in a completion';
    throw new CalmError(
      'unsupported',
      `\`${param}\` must be ${named} or left out for ${model.id}: ${reason}. Given: ${excerpt(value)}.`,
      { param },
    );
  }
}
