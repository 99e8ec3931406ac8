/**
 * The network of flow and diffusion heads: a state and a time to a direction, or to the noise in it, given the hidden
 * state (upstream: SimpleMLPAdaLN below `generative_head.net.`, after Li et al. 2024). Everything that depends on the
 * time alone becomes a constant here.
 */
import type { CheckpointTensors } from './checkpoint-tensors.js';
import { packedLinear } from './llama-parameters.js';
import { type Matrix, rowBlocks, stackRows } from './matrix.js';
import type { Constant, Linear, Norm } from './parameters.js';

/** Upstream's; none is configurable. */
const LAYER_NORM_EPSILON = 1e-6;
const LONGEST_PERIOD = 10_000;
/** Inputs of the time embedding. */
export const TIME_FEATURES = 256;
/** Parts of a block's modulation, each of the hidden size: shift, scale, gate. The final layer has the first two. */
export const MODULATIONS_PER_BLOCK = 3;
export const FINAL_MODULATIONS = 2;

/** x + gate * second(silu(first(norm(x) * scale + shift))). */
export interface DenoiserBlock {
  readonly norm: Norm;
  readonly first: Linear;
  readonly second: Linear;
}

export interface DenoiserParameters {
  /** Embeddings of the times in the order in which they are asked, [times, h]. */
  readonly times: Constant;
  readonly condition: Linear;
  /** All blocks' and the final layer's modulations below one another; scales come with their 1 added. */
  readonly modulation: Linear;
  readonly input: Linear;
  readonly blocks: readonly DenoiserBlock[];
  /** Without weights of its own: the modulation scales. */
  readonly finalNorm: Norm;
  readonly output: Linear;
}

export interface DenoiserShape {
  readonly hiddenSize: number;
  readonly latentSize: number;
  readonly blocks: number;
  /** Values that the network gives for a latent. */
  readonly outputs: number;
}

/**
 * Reads the network for the given times; `tensors` starts at its own names.
 * @throws CalmError bad_checkpoint where a tensor is missing or has another shape.
 */
export function readDenoiser(
  tensors: CheckpointTensors,
  shape: DenoiserShape,
  times: readonly number[],
): DenoiserParameters {
  const { hiddenSize: hidden, latentSize, blocks, outputs } = shape;
  const linear = (name: string, part: string, rows: number, columns: number): Linear =>
    packedLinear(tensors, { name: `head.${part}`, kind: 'head' }, [{ name, outputs: rows }], columns, true);
  const repeated = (...size: Parameters<typeof linear>): Linear => ({ ...linear(...size), repeated: true });
  const narrow = (...size: Parameters<typeof linear>): Linear => ({ ...repeated(...size), sensitive: true });
  return {
    times: { name: 'head.times', weight: timeEmbeddings(tensors, hidden, times) },
    condition: linear('cond_embed', 'condition', hidden, hidden),
    modulation: readModulation(tensors, hidden, blocks),
    input: narrow('input_proj', 'input', hidden, latentSize),
    blocks: Array.from({ length: blocks }, (_, index): DenoiserBlock => {
      const name = `res_blocks.${index}.`;
      const part = `blocks.${index}.`;
      return {
        norm: {
          name: `head.${part}norm`,
          weight: tensors.vector(`${name}in_ln.weight`, hidden),
          bias: tensors.vector(`${name}in_ln.bias`, hidden),
          epsilon: LAYER_NORM_EPSILON,
        },
        first: repeated(`${name}mlp.0`, `${part}first`, hidden, hidden),
        second: repeated(`${name}mlp.2`, `${part}second`, hidden, hidden),
      };
    }),
    finalNorm: {
      name: 'head.final_norm',
      weight: new Float32Array(hidden).fill(1),
      bias: null,
      epsilon: LAYER_NORM_EPSILON,
    },
    output: narrow('final_layer.linear', 'output', outputs, hidden),
  };
}

function readModulation(tensors: CheckpointTensors, hidden: number, blocks: number): Linear {
  const parts = [
    ...Array.from({ length: blocks }, (_, index) => ({
      name: `res_blocks.${index}.adaLN_modulation.1`,
      count: MODULATIONS_PER_BLOCK,
    })),
    { name: 'final_layer.adaLN_modulation.1', count: FINAL_MODULATIONS },
  ];
  return {
    name: 'head.modulation',
    kind: 'head',
    weight: stackRows(
      parts.map(({ name, count }) => tensors.matrix(`${name}.weight`, count * hidden, hidden)),
    ),
    bias: Float32Array.from(
      parts.flatMap(({ name, count }) => {
        const bias = tensors.vector(`${name}.bias`, count * hidden);
        return Array.from(bias, (value, i) => (Math.floor(i / hidden) === 1 ? value + 1 : value));
      }),
    ),
  };
}

/** Upstream's TimestepEmbedder: sinusoids through two linears. Computed when it is read. */
function timeEmbeddings(tensors: CheckpointTensors, hidden: number, times: readonly number[]): Matrix {
  const first = tensors.matrix('time_embed.mlp.0.weight', hidden, TIME_FEATURES);
  const firstBias = tensors.vector('time_embed.mlp.0.bias', hidden);
  const second = tensors.matrix('time_embed.mlp.2.weight', hidden, hidden);
  const secondBias = tensors.vector('time_embed.mlp.2.bias', hidden);
  return {
    rows: times.length,
    columns: hidden,
    read(from, to) {
      const wanted = times.slice(from, to);
      const inner = apply(first, firstBias, wanted.map(timeFeatures)).map(row =>
        row.map(value => value / (1 + Math.exp(-value))),
      );
      const embedded = apply(second, secondBias, inner);
      return Float32Array.from(embedded.flatMap(row => [...row]));
    },
  };
}

/** Cosines, then sines, of time * frequency, rounded to float32 where upstream rounds. */
function timeFeatures(time: number): Float64Array {
  const half = TIME_FEATURES / 2;
  const angles = Array.from({ length: half }, (_, i) => {
    const exponent = Math.fround(Math.fround(-Math.log(LONGEST_PERIOD) * i) / half);
    return Math.fround(time * Math.fround(Math.exp(exponent)));
  });
  return Float64Array.from([...angles.map(Math.cos), ...angles.map(Math.sin)]);
}

/** W x + b for each x. */
function apply(weight: Matrix, bias: Float32Array, inputs: readonly Float64Array[]): Float64Array[] {
  const { columns } = weight;
  const outputs = inputs.map(() => Float64Array.from(bias));
  for (const { from, to } of rowBlocks(weight)) {
    const values = weight.read(from, to);
    for (const [index, input] of inputs.entries()) {
      const output = outputs[index] as Float64Array;
      for (let row = from; row < to; row++) {
        let sum = 0;
        for (let i = 0, at = (row - from) * columns; i < columns; i++, at++) {
          sum += (values[at] as number) * (input[i] as number);
        }
        output[row] = (output[row] as number) + sum;
      }
    }
  }
  return outputs;
}
