/** The part of a config.json that describes a Llama backbone. */
import { z } from 'zod';
import { failField, requireSilu } from './config-fields.js';

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
  /**
   * Cost of the text that another model wrote for the training, that model's own training included; not part of
   * `trainingFlops` (key `distillation_flops`).
   */
  readonly distillationFlops: number | null;
}

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
/** Fields of a backbone by their names in transformers. */
export const backboneSchema = z.looseObject({
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
  distillation_flops: z.number().positive().nullish(),
  quantization_config: z.unknown().optional(),
});

type BackboneFields = z.infer<typeof backboneSchema>;

/**
 * Turns checked fields into sizes, with the Llama class's defaults for what is left out.
 * @throws CalmError bad_checkpoint where fields contradict each other or ask for something that is not supported.
 */
export function backboneConfig(fields: BackboneFields, file: string): BackboneConfig {
  requireSilu(fields.hidden_act, file);
  if (fields.quantization_config != null) {
    failField(
      file,
      'quantization_config',
      'is set: the weights were quantized by another tool; name the original',
    );
  }
  if ((fields.partial_rotary_factor ?? 1) !== 1) {
    failField(file, 'partial_rotary_factor', `is ${fields.partial_rotary_factor}; only 1 is supported`);
  }
  const heads = fields.num_attention_heads;
  const kvHeads = fields.num_key_value_heads ?? heads;
  if (heads % kvHeads !== 0) {
    failField(
      file,
      'num_key_value_heads',
      `is ${kvHeads}, which does not divide num_attention_heads ${heads}`,
    );
  }
  if (fields.head_dim == null && fields.hidden_size % heads !== 0) {
    failField(file, 'hidden_size', `is ${fields.hidden_size}, no multiple of num_attention_heads ${heads}`);
  }
  const headSize = fields.head_dim ?? fields.hidden_size / heads;
  if (headSize % 2 !== 0)
    failField(file, 'head_dim', `is ${headSize}; rotary embeddings need an even number`);
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
    distillationFlops: fields.distillation_flops ?? null,
  };
}

function specialIds(fields: BackboneFields, eosTokenIds: readonly number[], file: string) {
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
      failField(file, field, `is ${outside}, but vocab_size is ${fields.vocab_size}`);
    }
  }
  return { bosTokenId: fields.bos_token_id, eosTokenIds, padTokenId };
}

function ropeScaling(fields: BackboneFields, file: string): Llama3RopeScaling | null {
  const rope = fields.rope_scaling ?? fields.rope_parameters;
  const kind = rope?.rope_type ?? rope?.type ?? 'default';
  if (rope == null || kind === 'default') return null;
  if (kind !== 'llama3') {
    failField(
      file,
      'rope_scaling',
      `has the type ${JSON.stringify(kind)}; supported are "default" and "llama3"`,
    );
  }
  const required = (
    key: 'factor' | 'low_freq_factor' | 'high_freq_factor' | 'original_max_position_embeddings',
  ) => rope[key] ?? failField(file, `rope_scaling.${key}`, 'is missing, which the type "llama3" needs');
  const scaling = {
    factor: required('factor'),
    lowFreqFactor: required('low_freq_factor'),
    highFreqFactor: required('high_freq_factor'),
    originalMaxPositions: required('original_max_position_embeddings'),
  };
  if (scaling.highFreqFactor <= scaling.lowFreqFactor) {
    failField(
      file,
      'rope_scaling.high_freq_factor',
      `is ${scaling.highFreqFactor}, not above low_freq_factor ${scaling.lowFreqFactor}`,
    );
  }
  return scaling;
}
