/** The Llama backbone's parameters: layers, token embedding and rotary tables, of a CALM and of a token model. */

import type { BackboneConfig, Llama3RopeScaling } from '../config.js';
import type { CheckpointTensors } from './checkpoint-tensors.js';
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
  const norm = (name: string, stored: string): Norm => ({
    name: stored,
    weight: tensors.vector(`${prefix}${name}.weight`, config.hiddenSize),
    bias: null,
    epsilon: config.rmsEps,
  });
  const layers = Array.from({ length: config.layers }, (_, index): LlamaLayer => {
    const name = `${prefix}layers.${index}.`;
    const stored = `backbone.layers.${index}.`;
    const { hiddenSize: hidden, intermediateSize: inner, heads, kvHeads, headSize } = config;
    const linear = (
      part: string,
      kind: LayerKind,
      parts: readonly (readonly [string, number])[],
      inputs: number,
      hasBias: boolean,
    ): Linear =>
      packedLinear(
        tensors,
        { name: stored + part, kind },
        parts.map(([suffix, outputs]) => ({ name: name + suffix, outputs })),
        inputs,
        hasBias,
      );
    const kvSize = kvHeads * headSize;
    const qkvParts = [
      ['self_attn.q_proj', heads * headSize],
      ['self_attn.k_proj', kvSize],
      ['self_attn.v_proj', kvSize],
    ] as const;
    const gateAndUpParts = [
      ['mlp.gate_proj', inner],
      ['mlp.up_proj', inner],
    ] as const;
    return {
      attentionNorm: norm(`layers.${index}.input_layernorm`, `${stored}attention_norm`),
      qkv: linear('qkv', 'attention', qkvParts, hidden, config.attentionBias),
      attentionOutput: linear(
        'attention_output',
        'attention',
        [['self_attn.o_proj', hidden]],
        heads * headSize,
        config.attentionBias,
      ),
      mlpNorm: norm(`layers.${index}.post_attention_layernorm`, `${stored}mlp_norm`),
      gateAndUp: linear('gate_and_up', 'mlp', gateAndUpParts, hidden, config.mlpBias),
      down: linear('down', 'mlp', [['mlp.down_proj', hidden]], inner, config.mlpBias),
    };
  });
  return { layers, finalNorm: norm('norm', 'backbone.norm'), rotary: rotaryTables(config) };
}

/**
 * cos and sin of position * frequency for each half-pair of a head, rounded to float32 where transformers'
 * LlamaRotaryEmbedding rounds.
 */
export function rotaryTables(
  config: Pick<BackboneConfig, 'headSize' | 'maxPositions' | 'ropeTheta' | 'ropeScaling'>,
): RotaryTables {
  const { headSize, maxPositions: positions, ropeTheta, ropeScaling } = config;
  const columns = headSize / 2;
  const cos = new Float32Array(positions * columns);
  const sin = new Float32Array(positions * columns);
  for (let column = 0; column < columns; column++) {
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
