/** The body of POST /v1/completions as it comes over the wire; fields that are not listed are ignored. */
import { z } from 'zod';
import { MOST_LOGPROBS } from '../../sampler/token-sampling/check-controls.js';
import { generationFields, optional, tokenIds } from '../generation/generation-fields.js';

/** Schema of the request body. */
export const completionSchema = z.looseObject({
  ...generationFields,
  prompt: optional(
    z.union([z.string(), z.array(z.string()).nonempty(), tokenIds.nonempty(), z.array(tokenIds).nonempty()]),
    'a string, an array of strings, an array of token ids, an array of such arrays, or null for a new document',
  ),
  echo: optional(z.boolean(), 'true or false'),
  logprobs: optional(z.int().min(0).max(MOST_LOGPROBS), `a whole number from 0 to ${MOST_LOGPROBS}`),
  suffix: optional(z.string(), 'a string'),
  best_of: optional(z.int().min(0).max(128), 'a whole number from 0 to 128'),
});

/** A request body whose types and ranges hold. */
export type CompletionBody = z.infer<typeof completionSchema>;
