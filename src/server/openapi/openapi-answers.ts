/**
 * What the server answers, for the OpenAPI document. Requests are checked against schemas that they share with the
 * document; answers are made from TypeScript types, and tests/openapi.test.ts holds every answer against these schemas: a
 * field that is answered and not described fails there.
 */
import { z } from 'zod';
import { generationDefaultsSchema } from '../../runtime/manifest.js';

const count = z.int().nonnegative();
const milliseconds = z.number().nonnegative();
const tokenIds = z.array(count);
const finishReason = z.enum(['stop', 'length']).nullable();
const stopReason = z.union([z.string(), z.int()]).nullable();

/** OpenAI's error envelope: all four keys are always there. */
export const errorAnswer = z.object({
  error: z.object({
    message: z.string(),
    type: z.enum(['invalid_request_error', 'authentication_error', 'rate_limit_error', 'server_error']),
    param: z.string().nullable(),
    code: z.string().nullable(),
  }),
});

const usage = z.object({
  prompt_tokens: count,
  completion_tokens: count,
  total_tokens: count,
  prompt_tokens_details: z.object({ cached_tokens: count }),
});

const timings = z
  .object({
    prompt_n: count,
    prompt_ms: milliseconds,
    predicted_n: count,
    predicted_ms: milliseconds,
    predicted_per_second: z.number().nonnegative(),
    chunks: count,
    chunk_size: z.int().positive(),
    draws: count,
    decoded_positions: count,
    fallbacks: count,
  })
  .describe(
    "Where the time went, in llama.cpp's words; `chunks`, `draws`, `decoded_positions` and `fallbacks` are a CALM's own. `fallbacks` " +
      'counts chunks that counts of candidates decided: of `auto`, its share of `chunks` bounds the distance from P^(1/T) / Z at ' +
      "temperatures up to 1/2, and from `auto`'s own law between 1/2 and 1.",
  );

const share = z.number().min(0).max(1);

const chunkStatistics = z.array(
  z.object({
    draws: count,
    fallback: z.boolean(),
    tokens: z.array(
      z.object({
        count,
        of: count,
        probability: share.nullable(),
        // Not a tuple: several tools cannot read one.
        interval: z.array(share).length(2),
      }),
    ),
  }),
);

const extras = {
  stop_reason: z.exactOptional(stopReason.describe('the stop string or token id that ended the choice')),
  token_ids: z.exactOptional(tokenIds),
  chunk_statistics: z.exactOptional(chunkStatistics),
};

const head = { id: z.string(), created: z.int(), model: z.string() };

const logprob = z.number().max(0);

/** OpenAI's four lists, with an entry for each token. */
const completionLogprobs = z.object({
  text_offset: z.array(count),
  token_logprobs: z.array(logprob.nullable()),
  tokens: z.array(z.string()),
  top_logprobs: z.array(z.record(z.string(), logprob).nullable()),
});

const chatToken = { token: z.string(), logprob, bytes: z.array(z.int().min(0).max(255)).nullable() };

const chatLogprobs = z.object({
  content: z.array(z.object({ ...chatToken, top_logprobs: z.array(z.object(chatToken)) })),
  refusal: z.null(),
});

const completionChoice = z.object({
  index: count,
  text: z.string(),
  logprobs: completionLogprobs.nullable(),
  finish_reason: finishReason,
  ...extras,
  prompt_token_ids: z.exactOptional(tokenIds),
});

/** The answer of POST /completions. */
export const completionAnswer = z.object({
  ...head,
  object: z.literal('text_completion'),
  choices: z.array(completionChoice),
  usage,
  timings,
});

/** One event of a streamed completion. */
export const completionEvent = z.object({
  ...completionAnswer.shape,
  usage: z.exactOptional(usage.nullable()),
  timings: z.exactOptional(timings),
});

const chatEnd = { index: count, logprobs: chatLogprobs.nullable(), finish_reason: finishReason, ...extras };

/** The answer of POST /chat/completions. */
export const chatAnswer = z.object({
  ...head,
  object: z.literal('chat.completion'),
  choices: z.array(
    z.object({
      ...chatEnd,
      message: z.object({ role: z.literal('assistant'), content: z.string(), refusal: z.null() }),
    }),
  ),
  usage,
  timings,
  prompt_token_ids: z.exactOptional(tokenIds),
});

/** One event of a streamed chat. */
export const chatEvent = z.object({
  ...head,
  object: z.literal('chat.completion.chunk'),
  choices: z.array(
    z.object({
      ...chatEnd,
      delta: z.object({
        role: z.exactOptional(z.literal('assistant')),
        content: z.exactOptional(z.string()),
      }),
    }),
  ),
  usage: z.exactOptional(usage.nullable()),
  timings: z.exactOptional(timings),
});

/** The answer of GET /models/{id}; of a model that is still loading, the list knows less. */
export const modelAnswer = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.int(),
  owned_by: z.string(),
  status: z.enum(['ready', 'loading']),
  max_model_len: z.exactOptional(count),
  aliases: z.exactOptional(z.array(z.string())),
  meta: z.exactOptional(
    z.object({
      kind: z.enum(['calm', 'token']),
      chunk_size: z.int().positive(),
      n_vocab: count,
      defaults: generationDefaultsSchema,
    }),
  ),
});

/** The answer of GET /models. */
export const modelsAnswer = z.object({ object: z.literal('list'), data: z.array(modelAnswer) });

/** The answer of POST /tokenize. */
export const tokensAnswer = z.object({
  tokens: tokenIds,
  count,
  max_model_len: count,
  token_strs: z.exactOptional(z.array(z.string())),
});

/** The answer of POST /detokenize. */
export const textAnswer = z.object({ prompt: z.string(), content: z.string() });

/** The answer of GET /tokenizer_info. */
export const tokenizerAnswer = z.object({
  model: z.string(),
  tokenizer_class: z.string(),
  vocab_size: count,
  model_max_length: count,
  bos_token: z.string(),
  bos_token_id: count,
  eos_token: z.string().nullable(),
  eos_token_id: count.nullable(),
  chat_template: z.string(),
});

/** The answer of GET /props. */
export const propsAnswer = z.object({
  default_generation_settings: z.object({
    id: count,
    n_ctx: count,
    speculative: z.boolean(),
    is_processing: z.boolean(),
    params: z.object({
      n_predict: count,
      max_tokens: count,
      seed: count,
      temperature: z.number(),
      top_k: count,
      top_p: share,
      min_p: share,
      repeat_penalty: z.number(),
      presence_penalty: z.number(),
      frequency_penalty: z.number(),
      stop: z.array(z.string()),
      ignore_eos: z.boolean(),
      stream: z.boolean(),
      num_candidates: z.exactOptional(count),
    }),
  }),
  total_slots: count,
  model_alias: z.string(),
  model_path: z.string(),
  chat_template: z.string(),
  bos_token: z.string().nullable(),
  eos_token: z.string().nullable(),
  modalities: z.object({ vision: z.boolean(), audio: z.boolean() }),
  endpoint_slots: z.boolean(),
  endpoint_props: z.boolean(),
  endpoint_metrics: z.boolean(),
  build_info: z.string(),
  is_sleeping: z.boolean(),
});

/** The answer of GET /slots. */
export const slotsAnswer = z.array(
  z.object({ id: count, n_ctx: count, speculative: z.boolean(), is_processing: z.boolean() }),
);

/** The answer of GET /version. */
export const versionAnswer = z.object({
  version: z.string(),
  onnxruntime: z.string().optional(),
  node: z.string(),
});

/** The answer of GET /livez. */
export const livenessAnswer = z.object({ status: z.literal('alive') });

/** The answer of GET /readyz. */
export const readinessAnswer = z.object({ status: z.enum(['ok', 'draining', 'loading']) });

/** The answer of GET /health; a model that is still loading has no slots. */
export const healthAnswer = z.object({
  ...readinessAnswer.shape,
  models: z.exactOptional(
    z.array(
      z.object({
        id: z.string(),
        status: z.enum(['ready', 'loading']),
        slots: z.exactOptional(count),
        running: z.exactOptional(count),
        waiting: z.exactOptional(count),
      }),
    ),
  ),
});
