/**
 * The body of POST /v1/completions as it comes over the wire. Every field may be null or missing, fields that are
 * not listed are ignored, and a field's description completes the sentence "`field` must be ..." of its error.
 */
import { z } from 'zod';

const tokenIds = z.array(z.int().nonnegative());
const int64Limit = 2 ** 63;

/** A field that may be null or missing, and the sentence's end for a value that it refuses. */
function optional<Schema extends z.ZodType>(schema: Schema, mustBe: string) {
  return schema.nullish().describe(mustBe);
}

const streamOptionsSchema = z.looseObject({
  include_usage: z.boolean().nullish(),
  continuous_usage_stats: z.boolean().nullish(),
});

/** Most stop strings of one request: OpenAI takes 4, evaluation harnesses send a few more. */
export const maxStopStrings = 64;
/** Longest stop string in UTF-16 units: text of that length is held back at most. */
export const maxStopLength = 1024;

const stopString = z.string().max(maxStopLength);

/** Schema of the request body. */
export const completionSchema = z.looseObject({
  model: optional(z.string(), 'the name of a served model (GET /v1/models lists them)'),
  prompt: optional(
    z.union([z.string(), z.array(z.string()).nonempty(), tokenIds.nonempty(), z.array(tokenIds).nonempty()]),
    'a string, an array of strings, an array of token ids, an array of such arrays, or null for a new document',
  ),
  max_tokens: optional(z.int().nonnegative(), 'a whole number from 0 up'),
  min_tokens: optional(z.int().nonnegative(), 'a whole number from 0 up'),
  temperature: optional(z.number().min(0).max(2), 'a number from 0 to 2'),
  num_candidates: optional(z.int().positive().max(65_536), 'a whole number from 1 to 65536'),
  seed: optional(
    z.number().min(-int64Limit).max(int64Limit).refine(Number.isInteger),
    'a whole number of at most 64 bits',
  ),
  n: optional(z.int().min(1).max(128), 'a whole number from 1 to 128'),
  stop: optional(
    z.union([stopString, z.array(stopString).max(maxStopStrings)]),
    `a string or an array of at most ${maxStopStrings} strings, each of at most ${maxStopLength} characters`,
  ),
  stop_token_ids: optional(tokenIds, 'an array of token ids'),
  ignore_eos: optional(z.boolean(), 'true or false'),
  echo: optional(z.boolean(), 'true or false'),
  return_token_ids: optional(z.boolean(), 'true or false'),
  logprobs: optional(z.int().nonnegative(), 'a whole number from 0 up'),
  stream: optional(z.boolean(), 'true or false'),
  stream_options: optional(
    streamOptionsSchema,
    'an object with `include_usage` and `continuous_usage_stats`, each true or false',
  ),
});

/** A request body whose types and ranges hold. */
export type CompletionBody = z.infer<typeof completionSchema>;
