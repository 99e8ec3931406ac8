/** A checkpoint's config.json, checked once and turned into the words that the graph builder uses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CalmError } from '../errors.js';

/** Llama 3's frequency-dependent stretching of the rotary embedding (transformers `rope_type: "llama3"`). */
export interface Llama3RopeScaling {
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  /** Context length, in positions, of the training before the stretching. */
  readonly originalMaxPositions: number;
}

/** Sizes of a Llama backbone; both a CALM and a token model have one. */
export interface BackboneConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly vocabSize: number;
  /** Longest context in positions: chunks for a CALM, tokens for a token model. */
  readonly maxPositions: number;
  readonly rmsEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling: Llama3RopeScaling | null;
  readonly tieWordEmbeddings: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly bosTokenId: number;
  readonly eosTokenIds: readonly number[];
  readonly padTokenId: number | null;
  /** Cost of the training, forward and backward, where the checkpoint says so (key `training_flops`). */
  readonly trainingFlops: number | null;
}

/** CALM with the energy head (upstream: EnergyTransformer). */
export interface CalmEnergyConfig extends BackboneConfig {
  readonly architecture: 'calm-energy';
  /** Tokens a chunk, K (`patch_size`). */
  readonly chunkSize: number;
  readonly latentSize: number;
  readonly noiseSize: number;
  /** Residual blocks of the head (`num_mlp_layers`). */
  readonly headBlocks: number;
}

/** The token baseline: LlamaForCausalLM. */
export interface LlamaConfig extends BackboneConfig {
  readonly architecture: 'llama';
}

/** The autoencoder that goes with a CALM (upstream: Autoencoder). */
export interface AutoencoderConfig {
  readonly architecture: 'autoencoder';
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  readonly vocabSize: number;
  readonly chunkSize: number;
  readonly latentSize: number;
  readonly rmsEps: number;
  readonly mlpBias: boolean;
}

export type CheckpointConfig = CalmEnergyConfig | LlamaConfig | AutoencoderConfig;

const count = z.int().positive();
const tokenId = z.int().nonnegative();

const ropeSchema = z.looseObject({
  rope_type: z.string().nullish(),
  /** Name of `rope_type` before transformers 4.43. */
  type: z.string().nullish(),
  rope_theta: z.number().positive().nullish(),
  factor: z.number().min(1).nullish(),
  low_freq_factor: z.number().positive().nullish(),
  high_freq_factor: z.number().positive().nullish(),
  original_max_position_embeddings: count.nullish(),
});

// transformers writes null for some fields and leaves out others; either way the class's default holds.
const backboneSchema = z.looseObject({
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  vocab_size: count,
  max_position_embeddings: count.nullish(),
  rms_norm_eps: z.number().positive().nullish(),
  rope_theta: z.number().positive().nullish(),
  rope_scaling: ropeSchema.nullish(),
  rope_parameters: ropeSchema.nullish(),
  partial_rotary_factor: z.number().nullish(),
  tie_word_embeddings: z.boolean().nullish(),
  attention_bias: z.boolean().nullish(),
  mlp_bias: z.boolean().nullish(),
  hidden_act: z.string().nullish(),
  bos_token_id: tokenId,
  eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
  pad_token_id: z.int().nullish(),
  training_flops: z.number().positive().nullish(),
  quantization_config: z.unknown().optional(),
});

const calmSchema = backboneSchema.extend({
  patch_size: count,
  latent_size: count,
  noise_size: count,
  num_mlp_layers: count,
});

const autoencoderSchema = z.looseObject({
  hidden_size: count,
  intermediate_size: count,
  num_encoder_layers: count,
  num_decoder_layers: count,
  vocab_size: count,
  patch_size: count,
  latent_size: count,
  rms_norm_eps: z.number().positive().nullish(),
  mlp_bias: z.boolean().nullish(),
  hidden_act: z.string().nullish(),
});

const identitySchema = z.looseObject({
  architectures: z.array(z.string()).nullish(),
  model_type: z.string().nullish(),
});

type Architecture = CheckpointConfig['architecture'] | 'calm-flow' | 'calm-diffusion';

const architecturesByClass: ReadonlyMap<string, Architecture> = new Map([
  ['EnergyTransformer', 'calm-energy'],
  ['FlowTransformer', 'calm-flow'],
  ['DiffusionTransformer', 'calm-diffusion'],
  ['Autoencoder', 'autoencoder'],
  ['LlamaForCausalLM', 'llama'],
]);

const architecturesByModelType: ReadonlyMap<string, Architecture> = new Map([
  ['energy', 'calm-energy'],
  ['flow', 'calm-flow'],
  ['diffusion', 'calm-diffusion'],
  ['autoencoder', 'autoencoder'],
  ['llama', 'llama'],
]);

/**
 * Reads `<dir>/config.json`.
 * @throws CalmError bad_checkpoint where the file is missing, is no JSON, lacks a field or contradicts itself;
 *   unsupported for a CALM with another head than the energy head.
 */
export function readCheckpointConfig(dir: string): CheckpointConfig {
  const file = join(dir, 'config.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CalmError(
      'bad_checkpoint',
      `Cannot read ${file}: name a checkpoint folder with a config.json.`,
      {
        cause,
      },
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CalmError('bad_checkpoint', `${file} is not valid JSON: ${(cause as Error).message}.`, {
      cause,
    });
  }
  return parseCheckpointConfig(json, file);
}

/** As readCheckpointConfig, from parsed JSON; `file` is named in messages. */
export function parseCheckpointConfig(json: unknown, file: string): CheckpointConfig {
  switch (architectureOf(json, file)) {
    case 'calm-energy': {
      const fields = parse(calmSchema, json, file);
      return {
        architecture: 'calm-energy',
        ...backboneConfig(fields, file),
        chunkSize: fields.patch_size,
        latentSize: fields.latent_size,
        noiseSize: fields.noise_size,
        headBlocks: fields.num_mlp_layers,
      };
    }
    case 'llama':
      return { architecture: 'llama', ...backboneConfig(parse(backboneSchema, json, file), file) };
    case 'autoencoder': {
      const fields = parse(autoencoderSchema, json, file);
      requireSilu(fields.hidden_act, file);
      return {
        architecture: 'autoencoder',
        hiddenSize: fields.hidden_size,
        intermediateSize: fields.intermediate_size,
        encoderLayers: fields.num_encoder_layers,
        decoderLayers: fields.num_decoder_layers,
        vocabSize: fields.vocab_size,
        chunkSize: fields.patch_size,
        latentSize: fields.latent_size,
        rmsEps: fields.rms_norm_eps ?? 1e-6,
        mlpBias: fields.mlp_bias ?? false,
      };
    }
    case 'calm-flow':
    case 'calm-diffusion':
      throw new CalmError(
        'unsupported',
        `${file} describes a CALM with a flow or diffusion head; this version serves the energy head ` +
          '(EnergyTransformer) only.',
      );
  }
}

function architectureOf(json: unknown, file: string): Architecture {
  const { architectures, model_type } = parse(identitySchema, json, file);
  for (const name of architectures ?? []) {
    const architecture = architecturesByClass.get(name);
    if (architecture !== undefined) return architecture;
  }
  const byType = model_type == null ? undefined : architecturesByModelType.get(model_type);
  if (byType !== undefined && !architectures?.length) return byType;
  throw new CalmError(
    'bad_checkpoint',
    `${file} names the architecture ${JSON.stringify(architectures?.[0] ?? model_type ?? null)}, which is not ` +
      `known here; known are ${[...architecturesByClass.keys()].join(', ')}.`,
    { param: 'architectures' },
  );
}

function backboneConfig(fields: z.infer<typeof backboneSchema>, file: string): BackboneConfig {
  requireSilu(fields.hidden_act, file);
  if (fields.quantization_config != null) {
    fail(
      file,
      'quantization_config',
      'is set: the weights were quantized by another tool; name the original',
    );
  }
  if ((fields.partial_rotary_factor ?? 1) !== 1) {
    fail(file, 'partial_rotary_factor', `is ${fields.partial_rotary_factor}; only 1 is supported`);
  }
  const heads = fields.num_attention_heads;
  const kvHeads = fields.num_key_value_heads ?? heads;
  if (heads % kvHeads !== 0) {
    fail(file, 'num_key_value_heads', `is ${kvHeads}, which does not divide num_attention_heads ${heads}`);
  }
  if (fields.head_dim == null && fields.hidden_size % heads !== 0) {
    fail(file, 'hidden_size', `is ${fields.hidden_size}, no multiple of num_attention_heads ${heads}`);
  }
  const headSize = fields.head_dim ?? fields.hidden_size / heads;
  if (headSize % 2 !== 0) fail(file, 'head_dim', `is ${headSize}; rotary embeddings need an even number`);
  const eos = fields.eos_token_id ?? [];
  return {
    hiddenSize: fields.hidden_size,
    intermediateSize: fields.intermediate_size,
    layers: fields.num_hidden_layers,
    heads,
    kvHeads,
    headSize,
    vocabSize: fields.vocab_size,
    maxPositions: fields.max_position_embeddings ?? 2048,
    rmsEps: fields.rms_norm_eps ?? 1e-6,
    ropeTheta: fields.rope_theta ?? fields.rope_parameters?.rope_theta ?? 10_000,
    ropeScaling: ropeScaling(fields, file),
    tieWordEmbeddings: fields.tie_word_embeddings ?? false,
    attentionBias: fields.attention_bias ?? false,
    mlpBias: fields.mlp_bias ?? false,
    ...specialIds(fields, typeof eos === 'number' ? [eos] : eos, file),
    trainingFlops: fields.training_flops ?? null,
  };
}

function specialIds(fields: z.infer<typeof backboneSchema>, eosTokenIds: readonly number[], file: string) {
  // Some Llama checkpoints write -1 for "no padding token".
  const padTokenId = fields.pad_token_id != null && fields.pad_token_id >= 0 ? fields.pad_token_id : null;
  const ids = {
    bos_token_id: [fields.bos_token_id],
    eos_token_id: eosTokenIds,
    pad_token_id: [padTokenId ?? 0],
  };
  for (const [field, values] of Object.entries(ids)) {
    const outside = values.find(id => id >= fields.vocab_size);
    if (outside !== undefined) {
      fail(file, field, `is ${outside}, but vocab_size is ${fields.vocab_size}`);
    }
  }
  return { bosTokenId: fields.bos_token_id, eosTokenIds, padTokenId };
}

function ropeScaling(fields: z.infer<typeof backboneSchema>, file: string): Llama3RopeScaling | null {
  const rope = fields.rope_scaling ?? fields.rope_parameters;
  const kind = rope?.rope_type ?? rope?.type ?? 'default';
  if (rope == null || kind === 'default') return null;
  if (kind !== 'llama3') {
    fail(file, 'rope_scaling', `has the type ${JSON.stringify(kind)}; supported are "default" and "llama3"`);
  }
  const required = (
    key: 'factor' | 'low_freq_factor' | 'high_freq_factor' | 'original_max_position_embeddings',
  ) => rope[key] ?? fail(file, `rope_scaling.${key}`, 'is missing, which the type "llama3" needs');
  const scaling = {
    factor: required('factor'),
    lowFreqFactor: required('low_freq_factor'),
    highFreqFactor: required('high_freq_factor'),
    originalMaxPositions: required('original_max_position_embeddings'),
  };
  if (scaling.highFreqFactor <= scaling.lowFreqFactor) {
    fail(
      file,
      'rope_scaling.high_freq_factor',
      `is ${scaling.highFreqFactor}, not above low_freq_factor ${scaling.lowFreqFactor}`,
    );
  }
  return scaling;
}

function requireSilu(activation: string | null | undefined, file: string): void {
  if ((activation ?? 'silu') !== 'silu' && activation !== 'swish') {
    fail(file, 'hidden_act', `is ${JSON.stringify(activation)}; only "silu" is supported`);
  }
}

function parse<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = issue.path.join('.');
  return fail(file, field || '(root)', `is not what it should be: ${issue.message}`);
}

function fail(file: string, field: string, what: string): never {
  throw new CalmError('bad_checkpoint', `${file}: ${field} ${what}.`, { param: field });
}
