/** The Llama decoder stack in float64 (transformers' LlamaModel), whole sequence at once. */
import type { BackboneConfig } from '../../src/convert/config.js';
import { add, concatenate, type Parameters, type Vector } from './forward-layers.js';

/** inputs: one vector a position -> final hidden state of each position. */
export function llamaHidden(
  parameters: Parameters,
  config: BackboneConfig,
  inputs: readonly Vector[],
): Vector[] {
  let states = [...inputs];
  for (let layer = 0; layer < config.layers; layer++) {
    const name = `layers.${layer}`;
    const normed = states.map(x => parameters.rmsNorm(`${name}.input_layernorm`, x, config.rmsEps));
    const attended = attention(parameters.below(`${name}.self_attn.`), config, normed);
    states = states.map((x, position) => add(x, attended[position]!));
    states = states.map(x => {
      const inner = parameters.rmsNorm(`${name}.post_attention_layernorm`, x, config.rmsEps);
      return add(x, parameters.swiglu(`${name}.mlp`, inner));
    });
  }
  return states.map(x => parameters.rmsNorm('norm', x, config.rmsEps));
}

function attention(parameters: Parameters, config: BackboneConfig, inputs: readonly Vector[]): Vector[] {
  const { heads, kvHeads, headSize } = config;
  const headsOf = (name: string, count: number, rotated: boolean): Vector[][] =>
    inputs.map((x, position) => {
      const all = parameters.linear(name, x);
      return Array.from({ length: count }, (_, head) => {
        const values = all.subarray(head * headSize, (head + 1) * headSize);
        return rotated ? rotate(values, position, config) : values;
      });
    });
  const queries = headsOf('q_proj', heads, true);
  const keys = headsOf('k_proj', kvHeads, true);
  const values = headsOf('v_proj', kvHeads, false);
  return inputs.map((_, position) => {
    const outputs = Array.from({ length: heads }, (_, head) => {
      const kvHead = Math.floor((head * kvHeads) / heads);
      const scores = Array.from(
        { length: position + 1 },
        (_, past) => dot(queries[position]![head]!, keys[past]![kvHead]!) / Math.sqrt(headSize),
      );
      const weights = softmax(scores);
      return Float64Array.from({ length: headSize }, (_, i) =>
        weights.reduce((sum, weight, past) => sum + weight * values[past]![kvHead]![i]!, 0),
      );
    });
    return parameters.linear('o_proj', concatenate(outputs));
  });
}

/** Rotates the pairs (i, i + headSize / 2) by position * frequency of i. */
function rotate(x: Vector, position: number, config: BackboneConfig): Vector {
  const half = config.headSize / 2;
  const rotated = new Float64Array(config.headSize);
  for (let i = 0; i < half; i++) {
    const angle = position * frequency(i, config);
    rotated[i] = x[i]! * Math.cos(angle) - x[i + half]! * Math.sin(angle);
    rotated[i + half] = x[i + half]! * Math.cos(angle) + x[i]! * Math.sin(angle);
  }
  return rotated;
}

/** transformers' _compute_llama3_parameters, case by case as it stands there. */
function frequency(pair: number, { headSize, ropeTheta, ropeScaling }: BackboneConfig): number {
  const plain = ropeTheta ** ((-2 * pair) / headSize);
  if (ropeScaling === null) return plain;
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = ropeScaling;
  const wavelength = (2 * Math.PI) / plain;
  if (wavelength < originalMaxPositions / highFreqFactor) return plain;
  if (wavelength > originalMaxPositions / lowFreqFactor) return plain / factor;
  const smooth = (originalMaxPositions / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return ((1 - smooth) * plain) / factor + smooth * plain;
}

function dot(a: Vector, b: Vector): number {
  return a.reduce((sum, value, i) => sum + value * b[i]!, 0);
}

export function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const weights = scores.map(score => Math.exp(score - largest));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map(weight => weight / total);
}
