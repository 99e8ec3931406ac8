/** Parameters of a CALM around its backbone: the chunk's way in, and the head. Names: upstream's modules. */
import type { CalmConfig, CalmEnergyConfig } from '../config.js';
import { diffusionSteps, flowTimes } from '../head-schedule.js';
import type { CheckpointTensors } from './checkpoint-tensors.js';
import { type DenoiserParameters, readDenoiser } from './denoiser-parameters.js';
import { type LlamaParameters, packedLinear, readLlama } from './llama-parameters.js';
import { columnRange, stackRows } from './matrix.js';
import type { LayerKind, Linear, Norm, Table } from './parameters.js';

/** PyTorch's modules in the head and after the chunk input; not configurable upstream. */
const LAYER_NORM_EPSILON = 1e-6;
/** The energy head is registered under both names; a safetensors file keeps one of them. */
const ENERGY_PREFIXES = ['mlp_generator.', 'generative_head.'] as const;
/** The network of the other two heads. */
const DENOISER_PREFIX = 'generative_head.net.';

/** Embeddings of K tokens in a row -> one input of the backbone. */
export interface ChunkInput {
  readonly embedding: Table;
  readonly expand: Linear;
  readonly contract: Linear;
  readonly norm: Norm;
}

/** One residual block of the energy head. Its first linear, [x, y] -> h, is split in its x part and its y part. */
export interface EnergyBlock {
  readonly norm: Norm;
  readonly fromNoise: Linear;
  readonly inner: Linear;
  readonly gateAndUp: Linear;
  readonly down: Linear;
}

export interface EnergyHeadParameters {
  readonly kind: 'energy';
  readonly noiseEmbedding: Linear;
  readonly noiseNorm: Norm;
  readonly hiddenEmbedding: Linear;
  readonly hiddenNorm: Norm;
  /** The y parts of all blocks' first linears below one another, with those linears' biases. */
  readonly condition: Linear;
  readonly blocks: readonly EnergyBlock[];
  readonly finalNorm: Norm;
  readonly finalInner: Linear;
  readonly finalOutput: Linear;
}

export interface FlowHeadParameters {
  readonly kind: 'flow';
  readonly net: DenoiserParameters;
  readonly steps: number;
  readonly latentSize: number;
}

export interface DiffusionHeadParameters {
  readonly kind: 'diffusion';
  readonly net: DenoiserParameters;
  readonly steps: number;
  readonly latentSize: number;
}

export type HeadParameters = EnergyHeadParameters | FlowHeadParameters | DiffusionHeadParameters;

export interface CalmParameters {
  readonly input: ChunkInput;
  readonly backbone: LlamaParameters;
  readonly head: HeadParameters;
}

/**
 * Reads a CALM's own parameters, without the autoencoder.
 * @throws CalmError bad_checkpoint where a tensor is missing or has another shape.
 */
export function readCalm(tensors: CheckpointTensors, config: CalmConfig): CalmParameters {
  return {
    input: readChunkInput(tensors, config),
    backbone: readLlama(tensors, 'transformer.', config),
    head: readHead(tensors, config),
  };
}

function readHead(tensors: CheckpointTensors, config: CalmConfig): HeadParameters {
  const { hiddenSize, latentSize, headBlocks: blocks } = config;
  const shape = { hiddenSize, latentSize, blocks };
  switch (config.architecture) {
    case 'calm-energy': {
      const prefix = ENERGY_PREFIXES.find(name => tensors.has(`${name}noise_embd.weight`));
      return readEnergyHead(tensors.below(prefix ?? ENERGY_PREFIXES[0]), config);
    }
    case 'calm-flow': {
      const steps = config.headSteps;
      const below = tensors.below(DENOISER_PREFIX);
      const net = readDenoiser(below, { ...shape, outputs: latentSize }, flowTimes(steps));
      return { kind: 'flow', net, steps, latentSize };
    }
    case 'calm-diffusion': {
      const steps = config.headSteps;
      const times = diffusionSteps(steps).map(({ time }) => time);
      const below = tensors.below(DENOISER_PREFIX);
      const net = readDenoiser(below, { ...shape, outputs: 2 * latentSize }, times);
      return { kind: 'diffusion', net, steps, latentSize };
    }
  }
}

function reader(tensors: CheckpointTensors, stored: string, kind: LayerKind) {
  return {
    linear: (name: string, part: string, outputs: number, inputs: number, sensitive = false): Linear => ({
      ...packedLinear(tensors, { name: stored + part, kind }, [{ name, outputs }], inputs, true),
      sensitive,
    }),
    layerNorm: (name: string, part: string, size: number): Norm => ({
      name: stored + part,
      weight: tensors.vector(`${name}.weight`, size),
      bias: tensors.vector(`${name}.bias`, size),
      epsilon: LAYER_NORM_EPSILON,
    }),
  };
}

function readChunkInput(tensors: CheckpointTensors, config: CalmConfig): ChunkInput {
  const { hiddenSize: hidden, vocabSize, chunkSize } = config;
  const read = reader(tensors, 'input.', 'chunk input');
  return {
    embedding: {
      name: 'input.embedding',
      kind: 'embedding',
      weight: tensors.matrix('transformer.embed_tokens.weight', vocabSize, hidden),
      use: 'lookup',
    },
    expand: read.linear('embed_proj.0', 'expand', 2 * hidden, chunkSize * hidden),
    contract: read.linear('embed_proj.2', 'contract', hidden, 2 * hidden),
    norm: read.layerNorm('embed_proj.3', 'norm', hidden),
  };
}

function readEnergyHead(tensors: CheckpointTensors, config: CalmEnergyConfig): EnergyHeadParameters {
  const { hiddenSize: hidden, noiseSize, latentSize, headBlocks } = config;
  const read = reader(tensors, 'head.', 'head');
  const firsts = Array.from({ length: headBlocks }, (_, index) => ({
    weight: tensors.matrix(`mlp_blocks.${index}.linears.0.weight`, hidden, 2 * hidden),
    bias: tensors.vector(`mlp_blocks.${index}.linears.0.bias`, hidden),
  }));
  return {
    kind: 'energy',
    noiseEmbedding: read.linear('noise_embd', 'noise', hidden, noiseSize, true),
    noiseNorm: read.layerNorm('norm_noise', 'noise_norm', hidden),
    hiddenEmbedding: read.linear('hidden_embd', 'hidden', hidden, hidden),
    hiddenNorm: read.layerNorm('norm_hidden', 'hidden_norm', hidden),
    condition: {
      name: 'head.condition',
      kind: 'head',
      weight: stackRows(firsts.map(({ weight }) => columnRange(weight, hidden, 2 * hidden))),
      bias: Float32Array.from(firsts.flatMap(({ bias }) => [...bias])),
    },
    blocks: firsts.map(({ weight }, index): EnergyBlock => {
      const name = `mlp_blocks.${index}.`;
      const part = `blocks.${index}.`;
      return {
        norm: read.layerNorm(`${name}in_ln`, `${part}norm`, hidden),
        fromNoise: {
          name: `head.${part}from_noise`,
          kind: 'head',
          weight: columnRange(weight, 0, hidden),
          bias: null,
        },
        inner: read.linear(`${name}linears.2`, `${part}inner`, hidden, hidden),
        gateAndUp: read.linear(`${name}linears.4`, `${part}gate_and_up`, 2 * hidden, hidden),
        down: read.linear(`${name}down_proj`, `${part}down`, hidden, hidden),
      };
    }),
    finalNorm: read.layerNorm('final_layer.in_ln', 'final_norm', hidden),
    finalInner: read.linear('final_layer.linears.0', 'final_inner', hidden, hidden),
    finalOutput: read.linear('final_layer.linears.2', 'final_output', latentSize, hidden, true),
  };
}
