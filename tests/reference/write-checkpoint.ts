/** Writes small random checkpoints in the Hugging Face layout, for shapes that have no recording. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CheckpointConfig } from '../../src/convert/config.js';
import type { TensorShapes } from '../../src/convert/tensor-shapes.js';

/** Random values that no other tensor has: normal, of a size that keeps activations near 1. */
export function randomTensors(shapes: TensorShapes, seed: number): Map<string, RandomTensor> {
  const uniform = mulberry32(seed);
  return new Map(
    shapes.map(([name, shape]) => {
      const size = shape.reduce((product, length) => product * length, 1);
      const isMatrix = shape.length === 2;
      const centre = !isMatrix && name.endsWith('.weight') ? 1 : 0;
      const spread = name.includes('embed_tokens') ? 1 : 1 / Math.sqrt(shape[1] ?? 25);
      const values = Float32Array.from({ length: size }, () => centre + spread * normal(uniform));
      return [name, { shape, values }];
    }),
  );
}

export interface RandomTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Writes config.json and model.safetensors. */
export function writeCheckpoint(
  folder: string,
  config: CheckpointConfig,
  tensors: ReadonlyMap<string, RandomTensor>,
): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(huggingFaceConfig(config)));
  writeFileSync(join(folder, 'model.safetensors'), safetensors(tensors));
}

/** A safetensors file: header length, JSON header, values one after the other. */
export function safetensors(tensors: ReadonlyMap<string, RandomTensor>): Buffer {
  let offset = 0;
  const header = Object.fromEntries(
    [...tensors].map(([name, { shape, values }]) => {
      const start = offset;
      offset += values.byteLength;
      return [name, { dtype: 'F32', shape, data_offsets: [start, offset] }];
    }),
  );
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([
    length,
    json,
    ...[...tensors.values()].map(({ values }) => Buffer.from(values.buffer)),
  ]);
}

/** The configuration under the names of upstream's config.json. */
export function huggingFaceConfig(config: CheckpointConfig): object {
  if (config.architecture === 'autoencoder') {
    return {
      architectures: ['Autoencoder'],
      hidden_size: config.hiddenSize,
      intermediate_size: config.intermediateSize,
      num_encoder_layers: config.encoderLayers,
      num_decoder_layers: config.decoderLayers,
      vocab_size: config.vocabSize,
      patch_size: config.chunkSize,
      latent_size: config.latentSize,
      rms_norm_eps: config.rmsEps,
      mlp_bias: config.mlpBias,
    };
  }
  const scaling = config.ropeScaling;
  const calm = config.architecture !== 'llama' && {
    patch_size: config.chunkSize,
    latent_size: config.latentSize,
    num_mlp_layers: config.headBlocks,
    ...(config.architecture === 'calm-energy' && { noise_size: config.noiseSize }),
  };
  const classes = {
    'calm-energy': 'EnergyTransformer',
    'calm-flow': 'FlowTransformer',
    'calm-diffusion': 'DiffusionTransformer',
    llama: 'LlamaForCausalLM',
  };
  return {
    architectures: [classes[config.architecture]],
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headSize,
    vocab_size: config.vocabSize,
    max_position_embeddings: config.maxPositions,
    rms_norm_eps: config.rmsEps,
    rope_theta: config.ropeTheta,
    rope_scaling: scaling && {
      rope_type: 'llama3',
      factor: scaling.factor,
      low_freq_factor: scaling.lowFreqFactor,
      high_freq_factor: scaling.highFreqFactor,
      original_max_position_embeddings: scaling.originalMaxPositions,
    },
    tie_word_embeddings: config.tieWordEmbeddings,
    attention_bias: config.attentionBias,
    mlp_bias: config.mlpBias,
    bos_token_id: config.bosTokenId,
    eos_token_id: config.eosTokenIds,
    pad_token_id: config.padTokenId,
    training_flops: config.trainingFlops,
    distillation_flops: config.distillationFlops,
    ...calm,
  };
}

/** Uniform in [0, 1): mulberry32, a small generator for tests. */
export function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

function normal(uniform: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
