/**
 * The fields that completions and chats share, as they come over the wire. Every one may be null or missing, and a
 * field's description completes the sentence "`field` must be ..." of its error.
 */
import { z } from 'zod';
import { PROMPT_ALIGNMENTS } from '../../runtime/prompt.js';
import { LARGEST_CANDIDATE_COUNT, LARGEST_GREEDY_ERROR } from '../../sampler/check-settings.js';
import { SAMPLERS, TEMPERATURE_LAWS } from '../../sampler/settings.js';

const int64Limit = 2 ** 63;

/** A field that may be null or missing, and the sentence's end for a value that it refuses. */
export function optional<Schema extends z.ZodType>(schema: Schema, mustBe: string) {
  return schema.nullish().describe(mustBe);
}

function quotedChoice(values: readonly string[]): string {
  return values.map(value => `"${value}"`).join(' or ');
}

/** Token ids on the wire. */
export const tokenIds = z.array(z.int().nonnegative());

const streamOptionsSchema = z.looseObject({
  include_usage: z.boolean().nullish(),
  continuous_usage_stats: z.boolean().nullish(),
});

export type StreamOptions = z.infer<typeof streamOptionsSchema>;

/** Most stop strings of one request: OpenAI takes 4, evaluation harnesses send a few more. */
export const maxStopStrings = 64;
/** Longest stop string in UTF-16 units: text of that length is held back at most. */
export const maxStopLength = 1024;

const stopString = z.string().max(maxStopLength);
const penalty = z.number().min(-2).max(2);

/** What this server honours. */
const honouredFields = {
  model: optional(z.string(), 'the name of a served model (GET /v1/models lists them)'),
  max_tokens: optional(z.int().nonnegative(), 'a whole number from 0 up'),
  min_tokens: optional(z.int().nonnegative(), 'a whole number from 0 up'),
  temperature: optional(z.number().min(0).max(2), 'a number from 0 to 2'),
  num_candidates: optional(
    z.int().min(1).max(LARGEST_CANDIDATE_COUNT),
    `a whole number from 1 to ${LARGEST_CANDIDATE_COUNT}`,
  ),
  sampler: optional(z.enum(SAMPLERS), quotedChoice(SAMPLERS)),
  temperature_law: optional(z.enum(TEMPERATURE_LAWS), quotedChoice(TEMPERATURE_LAWS)),
  greedy_error: optional(
    z.number().min(0).max(LARGEST_GREEDY_ERROR),
    `a number from 0 to ${LARGEST_GREEDY_ERROR}`,
  ),
  prompt_alignment: optional(z.enum(PROMPT_ALIGNMENTS), quotedChoice(PROMPT_ALIGNMENTS)),
  chunk_statistics: optional(z.boolean(), 'true or false'),
  seed: optional(
    z
      .number()
      .refine(seed => Number.isInteger(seed) && Math.abs(seed) <= int64Limit)
      // Its limits in the document would be wrong: a double cannot tell 2^63 from its neighbours.
      .meta({ type: 'integer' }),
    'a whole number of at most 64 bits',
  ),
  n: optional(z.int().min(1).max(128), 'a whole number from 1 to 128'),
  stop: optional(
    z.union([stopString, z.array(stopString).max(maxStopStrings)]),
    `a string or an array of at most ${maxStopStrings} strings, each of at most ${maxStopLength} characters`,
  ),
  stop_token_ids: optional(tokenIds, 'an array of token ids'),
  include_stop_str_in_output: optional(z.boolean(), 'true or false'),
  truncate_prompt_tokens: optional(
    z.union([z.int().positive(), z.literal(-1)]),
    'a whole number from 1 up, or -1 for what the context holds',
  ),
  truncation_side: optional(z.enum(['left', 'right']), '"left" or "right"'),
  ignore_eos: optional(z.boolean(), 'true or false'),
  return_token_ids: optional(z.boolean(), 'true or false'),
  return_tokens_as_token_ids: optional(z.boolean(), 'true or false'),
  stream: optional(z.boolean(), 'true or false'),
  stream_options: optional(
    streamOptionsSchema,
    'an object with `include_usage` and `continuous_usage_stats`, each true or false',
  ),
  timings_per_token: optional(z.boolean(), 'true or false'),
  stream_granularity: optional(z.enum(['chunk', 'token']), '"chunk" or "token"'),
  prompt_logprobs: optional(z.unknown(), 'null'),
};

/** What changes the draws of tokens, and what is known and ignored (ignored-params.ts). */
const knownFields = {
  top_p: optional(z.number().min(0).max(1), 'a number from 0 to 1'),
  top_k: optional(z.int().min(-1), 'a whole number from -1 up'),
  min_p: optional(z.number().min(0).max(1), 'a number from 0 to 1'),
  presence_penalty: optional(penalty, 'a number from -2 to 2'),
  frequency_penalty: optional(penalty, 'a number from -2 to 2'),
  repetition_penalty: optional(z.number().positive(), 'a number above 0'),
  logit_bias: optional(
    z.record(z.string(), z.number().min(-100).max(100)),
    'an object of token ids and numbers from -100 to 100',
  ),
  response_format: optional(z.looseObject({ type: z.string() }), 'an object with a `type`'),
};

/** Fields of both kinds of requests. */
export const generationFields = { ...honouredFields, ...knownFields };

const generationSchema = z.looseObject(generationFields);

/** Fields of both kinds of requests whose types and ranges hold. */
export type GenerationFields = z.infer<typeof generationSchema>;
