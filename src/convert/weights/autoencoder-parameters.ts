/** The autoencoder's parameters. Encoder embedding and decoder projection are one matrix under either name. */
import type { AutoencoderConfig } from '../config.js';
import type { CheckpointTensors } from './checkpoint-tensors.js';
import { packedLinear } from './llama-parameters.js';
import type { Linear, Norm, Table } from './parameters.js';

/** x + down(silu(gate(norm(x))) * up(norm(x))). */
export interface FeedForward {
  readonly norm: Norm;
  readonly gateAndUp: Linear;
  readonly down: Linear;
}

export interface AutoencoderParameters {
  /** The tied vocabulary matrix [V, size]. */
  readonly vocabulary: Table;
  readonly encoder: {
    /** Before the squeeze: one token at a time. */
    readonly tokenLayers: readonly FeedForward[];
    /** K tokens' states in a row -> one. */
    readonly squeeze: Linear;
    /** After the squeeze: one chunk at a time. */
    readonly chunkLayers: readonly FeedForward[];
    readonly norm: Norm;
    /** Mean and log standard deviation, one after the other. */
    readonly output: Linear;
  };
  readonly decoder: {
    readonly input: Linear;
    readonly chunkLayers: readonly FeedForward[];
    /** One state -> K tokens' states in a row. */
    readonly expand: Linear;
    readonly tokenLayers: readonly FeedForward[];
    readonly norm: Norm;
  };
}

/** Width of the blocks in which the decoder looks for the largest logit. */
export const ARG_MAX_BLOCK = 256;
/** Below this, padding would cost more than the search by blocks saves. */
const LEAST_BLOCKED_VOCABULARY = 2048;

function vocabularyRows(vocabSize: number): number {
  if (vocabSize < LEAST_BLOCKED_VOCABULARY) return vocabSize;
  return Math.ceil(vocabSize / ARG_MAX_BLOCK) * ARG_MAX_BLOCK;
}

/**
 * Reads an autoencoder; `tensors` starts at its own names (`encoder.`, `decoder.`).
 * @throws CalmError bad_checkpoint where a tensor is missing or has another shape.
 */
export function readAutoencoder(
  tensors: CheckpointTensors,
  config: AutoencoderConfig,
): AutoencoderParameters {
  const { hiddenSize: size, intermediateSize: inner, vocabSize, chunkSize, latentSize, rmsEps } = config;
  const linear = (
    name: string,
    parts: readonly string[],
    outputs: number,
    inputs: number,
    hasBias: boolean,
    sensitive = false,
  ): Linear => ({
    ...packedLinear(
      tensors,
      { name: `autoencoder.${name}`, kind: 'autoencoder' },
      parts.map(part => ({ name: part, outputs })),
      inputs,
      hasBias,
    ),
    sensitive,
  });
  const norm = (name: string): Norm => ({
    name: `autoencoder.${name}`,
    weight: tensors.vector(`${name}.weight`, size),
    bias: null,
    epsilon: rmsEps,
  });
  const feedForward = (name: string): FeedForward => ({
    norm: norm(`${name}.layernorm`),
    gateAndUp: linear(
      `${name}.gate_and_up`,
      [`${name}.mlp.gate_proj`, `${name}.mlp.up_proj`],
      inner,
      size,
      config.mlpBias,
    ),
    down: linear(`${name}.down`, [`${name}.mlp.down_proj`], size, inner, config.mlpBias),
  });
  const stack = (name: string, from: number, to: number): FeedForward[] =>
    Array.from({ length: to - from }, (_, index) => feedForward(`${name}.${from + index}`));
  const half = (layers: number): number => Math.floor(layers / 2);
  const encoderHalf = half(config.encoderLayers);
  const decoderHalf = half(config.decoderLayers);
  return {
    vocabulary: {
      name: 'autoencoder.vocabulary',
      kind: 'vocabulary',
      weight: tensors.matrix(['encoder.embed_tokens.weight', 'decoder.lm_head_weight'], vocabSize, size),
      use: 'both',
      storedRows: vocabularyRows(vocabSize),
    },
    encoder: {
      tokenLayers: stack('encoder.encoder_layers', 0, encoderHalf),
      squeeze: linear('encoder.squeeze', ['encoder.squeeze_layer'], size, chunkSize * size, true),
      chunkLayers: stack('encoder.encoder_layers', encoderHalf, config.encoderLayers),
      norm: norm('encoder.norm'),
      output: linear('encoder.output', ['encoder.hidden_to_latent'], 2 * latentSize, size, true, true),
    },
    decoder: {
      input: linear('decoder.input', ['decoder.latent_to_hidden'], size, latentSize, true, true),
      chunkLayers: stack('decoder.decoder_layers', 0, decoderHalf),
      expand: linear('decoder.expand', ['decoder.expand_layer'], chunkSize * size, size, true),
      tokenLayers: stack('decoder.decoder_layers', decoderHalf, config.decoderLayers),
      norm: norm('decoder.norm'),
    },
  };
}
