/**
 * manifest.json: what a model package says of itself. The converter writes it, the runtime reads it; nothing else
 * describes a package. docs/model-package.md lists the graphs' inputs and outputs.
 */
import { z } from 'zod';
import { PROMPT_ALIGNMENTS } from './prompt.js';

/** Raised by one whenever a reader of the old version could misread a package. */
export const MANIFEST_VERSION = 1;

const count = z.int().positive();
const tokenId = z.int().nonnegative();

const tensorSchema = z.strictObject({
  /** Element type as stored in the data file. */
  dtype: z.enum(['float32', 'float16', 'uint8', 'int8', 'int64']),
  shape: z.array(z.int().nonnegative()),
  /** Byte offset in the data file, a multiple of 64. */
  offset: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
});

const graphSchema = z.strictObject({
  /** File name inside the package. */
  file: z.string(),
  /** Names of the external initializers that this graph uses: keys of `weights.tensors`. */
  initializers: z.array(z.string()),
});

const backboneSchema = z.strictObject({
  hidden_size: count,
  layers: count,
  heads: count,
  kv_heads: count,
  head_size: count,
  /** Rows of the rotary tables: the longest context in chunks (in tokens for a token model). */
  max_positions: count,
});

const headSizes = {
  /** Random numbers that one candidate takes. */
  noise_size: count,
  latent_size: count,
};
const sampledHeadFields = {
  /** The law of the noise: uniform in [-0.5, 0.5), or standard normal. */
  noise: z.literal('normal'),
  ...headSizes,
  /** Midpoint steps of a flow, respaced steps of a diffusion; all of them are inside the graphs. */
  steps: count,
};

const headSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('energy'), noise: z.literal('uniform').default('uniform'), ...headSizes }),
  z.strictObject({ kind: z.literal('flow'), ...sampledHeadFields }),
  z.strictObject({ kind: z.literal('diffusion'), ...sampledHeadFields }),
]);

const tokenizerSchema = z.strictObject({
  /** tiktoken ranks: a line for each token, base64 bytes and rank. */
  file: z.string(),
  /** Split pattern of the byte-level BPE. */
  pattern: z.string(),
  special_tokens: z.record(z.string(), tokenId),
  /** Jinja template of a conversation, where the tokenizer has one. */
  chat_template: z.string().min(1).optional(),
});

const graphNames = ['backbone', 'head', 'decoder', 'draw', 'position', 'encoder', 'step', 'lm_head'] as const;

const sharedFields = {
  format: z.literal('calm-serve'),
  version: z.literal(MANIFEST_VERSION),
  name: z.string().min(1),
  /** Where the weights came from: architecture and folder name of the checkpoint. */
  source: z.string(),
  created: z.iso.datetime(),
  vocab_size: count,
  /** Token that starts a document; fills the front of a prompt up to a chunk border. */
  bos_token_id: tokenId,
  /** Tokens that end a document. */
  eos_token_ids: z.array(tokenId),
  pad_token_id: tokenId.nullable(),
  /** Of requests that name none, where generation_config.json does not either. */
  prompt_alignment: z.enum(PROMPT_ALIGNMENTS),
  backbone: backboneSchema,
  /** How the matrices are stored. */
  weight_type: z.enum(['fp32', 'int8', 'int4', 'fp16']),
  /** Type of hidden states and of the cache. */
  activation_type: z.enum(['fp32', 'fp16']),
  tokenizer: tokenizerSchema.nullable(),
  /** Training cost of the checkpoint, forward and backward, all parts; null where it is not known. */
  training_flops: z.number().positive().nullable(),
  /** Cost of what another model wrote for the training and of that model; not part of `training_flops`. */
  distillation_flops: z.number().positive().nullish(),
  graphs: z.partialRecord(z.enum(graphNames), graphSchema),
  weights: z.strictObject({ file: z.string(), tensors: z.record(z.string(), tensorSchema) }),
};

/** Schema of manifest.json. */
export const manifestSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('calm'), chunk_size: count, head: headSchema, ...sharedFields }),
  z.strictObject({ kind: z.literal('token'), chunk_size: z.literal(1), ...sharedFields }),
]);

/** A model package's description. */
export type Manifest = z.infer<typeof manifestSchema>;
export type CalmManifest = Extract<Manifest, { kind: 'calm' }>;
export type TokenManifest = Extract<Manifest, { kind: 'token' }>;
export type GraphName = (typeof graphNames)[number];
export type StoredTensor = z.infer<typeof tensorSchema>;

/** generation_config.json: what a request of this model gets where it says nothing. */
export const generationDefaultsSchema = z.looseObject({
  temperature: z.number().min(0).max(2).optional(),
  num_candidates: z.int().positive().optional(),
  temperature_law: z.enum(['token', 'chunk']).optional(),
  prompt_alignment: z.enum(PROMPT_ALIGNMENTS).optional(),
  max_tokens: z.int().positive().optional(),
});

export type GenerationDefaults = z.infer<typeof generationDefaultsSchema>;
