/** The Llama backbone's parameters: layers, token embedding and rotary tables, of a CALM and of a token model. */

import type { BackboneConfig, Llama3RopeScaling } from '../config.js';
import type { CheckpointTensors } from './checkpoint-tensors.js';
import { paddedHeadSize, padHeadColumns, padHeadRows, padHeadValues } from './head-padding.js';
import { stackRows } from './matrix.js';
import type { LayerKind, Linear, Norm, RotaryTables } from './parameters.js';

/** One decoder layer. */
export interface LlamaLayer {
  readonly attentionNorm: Norm;
  /** Query, key and value below one another. */
  readonly qkv: Linear;
  readonly attentionOutput: Linear;
  readonly mlpNorm: Norm;
  /** Gate and up below one another. */
  readonly gateAndUp: Linear;
  readonly down: Linear;
}

export interface LlamaParameters {
  readonly layers: readonly LlamaLayer[];
  readonly finalNorm: Norm;
  readonly rotary: RotaryTables;
}

/** Linear layers of the checkpoint packed below one another, with their biases where the configuration has them. */
export function packedLinear(
  tensors: CheckpointTensors,
  stored: { readonly name: string; readonly kind: LayerKind },
  parts: readonly { readonly name: string; readonly outputs: number }[],
  inputs: number,
  hasBias: boolean,
): Linear {
  const weight = stackRows(
    parts.map(({ name, outputs }) => tensors.matrix(`${name}.weight`, outputs, inputs)),
  );
  const bias = hasBias
    ? Float32Array.from(parts.flatMap(({ name, outputs }) => [...tensors.vector(`${name}.bias`, outputs)]))
    : null;
  return { ...stored, weight, bias };
}

/**
 * Reads the layers below `prefix` (`transformer.` in a CALM, `model.` in a LlamaForCausalLM).
 * @throws CalmError bad_checkpoint where a tensor is missing or has another shape.
 */
export function readLlama(
  tensors: CheckpointTensors,
  prefix: string,
  config: BackboneConfig,
): LlamaParameters {
  const below = tensors.below(prefix);
  return {
    layers: Array.from({ length: config.layers }, (_, index) =>
      readLayer(below.below(`layers.${index}.`), `backbone.layers.${index}.`, config),
    ),
    finalNorm: readNorm(below, 'norm', 'backbone.norm', config),
    rotary: rotaryTables(config),
  };
}

function readNorm(tensors: CheckpointTensors, name: string, stored: string, config: BackboneConfig): Norm {
  return {
    name: stored,
    weight: tensors.vector(`${name}.weight`, config.hiddenSize),
    bias: null,
    epsilon: config.rmsEps,
  };
}

function readLayer(tensors: CheckpointTensors, stored: string, config: BackboneConfig): LlamaLayer {
  const { hiddenSize: hidden, intermediateSize: inner, mlpBias } = config;
  const mlp = (part: string, names: readonly string[], outputs: number, inputs: number): Linear =>
    packedLinear(
      tensors,
      { name: stored + part, kind: 'mlp' },
      names.map(name => ({ name: `mlp.${name}`, outputs })),
      inputs,
      mlpBias,
    );
  return {
    attentionNorm: readNorm(tensors, 'input_layernorm', `${stored}attention_norm`, config),
    ...readAttention(tensors.below('self_attn.'), stored, config),
    mlpNorm: readNorm(tensors, 'post_attention_layernorm', `${stored}mlp_norm`, config),
    gateAndUp: mlp('gate_and_up', ['gate_proj', 'up_proj'], inner, hidden),
    down: mlp('down', ['down_proj'], hidden, inner),
  };
}

function readAttention(
  tensors: CheckpointTensors,
  stored: string,
  { hiddenSize: hidden, heads, kvHeads, headSize, attentionBias }: BackboneConfig,
): Pick<LlamaLayer, 'qkv' | 'attentionOutput'> {
  const parts = [
    { name: 'q_proj', count: heads },
    { name: 'k_proj', count: kvHeads },
    { name: 'v_proj', count: kvHeads },
  ].map(({ name, count }) => ({
    weight: padHeadRows(tensors.matrix(`${name}.weight`, count * headSize, hidden), count, headSize),
    bias: attentionBias
      ? padHeadValues(tensors.vector(`${name}.bias`, count * headSize), count, headSize)
      : null,
  }));
  const output = tensors.matrix('o_proj.weight', hidden, heads * headSize);
  return {
    qkv: {
      name: `${stored}qkv`,
      kind: 'attention',
      weight: stackRows(parts.map(({ weight }) => weight)),
      bias: attentionBias ? Float32Array.from(parts.flatMap(({ bias }) => [...(bias ?? [])])) : null,
    },
    attentionOutput: {
      name: `${stored}attention_output`,
      kind: 'attention',
      weight: padHeadColumns(output, heads, headSize),
      bias: attentionBias ? tensors.vector('o_proj.bias', hidden) : null,
    },
  };
}

/**
 * cos and sin of position * frequency for each half-pair of a head, rounded to float32 where transformers'
 * LlamaRotaryEmbedding rounds.
 */
export function rotaryTables(
  config: Pick<BackboneConfig, 'headSize' | 'maxPositions' | 'ropeTheta' | 'ropeScaling'>,
): RotaryTables {
  const { headSize, maxPositions: positions, ropeTheta, ropeScaling } = config;
  const columns = paddedHeadSize(headSize) / 2;
  // Beyond the head's own pairs the tables rotate zeros, by nothing.
  const cos = new Float32Array(positions * columns).fill(1);
  const sin = new Float32Array(positions * columns);
  for (let column = 0; column < headSize / 2; column++) {
    const plain = 1 / ropeTheta ** ((2 * column) / headSize);
    const frequency = Math.fround(ropeScaling === null ? plain : scaledFrequency(plain, ropeScaling));
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * frequency);
      cos[position * columns + column] = Math.cos(angle);
      sin[position * columns + column] = Math.sin(angle);
    }
  }
  return { positions, columns, cos, sin };
}

/** Llama 3's scaling: long waves are stretched by `factor`, short ones stay, those between are blended. */
function scaledFrequency(frequency: number, scaling: Llama3RopeScaling): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  const blend = (originalMaxPositions / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  const kept = Math.min(1, Math.max(0, blend));
  return kept * frequency + ((1 - kept) * frequency) / factor;
}
