/** Packages with random weights in a known shape: what a benchmark needs of a model that is not at hand. */
import { basename, resolve } from 'node:path';
import type { AutoencoderConfig, BackboneConfig, CalmEnergyConfig } from './config.js';
import { type Model, readCalmModel, readLlamaModel } from './model.js';
import { RandomTensors } from './random-tensors.js';
import { PAPER_AUTOENCODER, SYNTH_SHAPES, type SynthShape } from './synth-shapes.js';
import { CheckpointTensors } from './weights/checkpoint-tensors.js';
import type { ActivationType, WeightType } from './weights/weight-store.js';
import { type ProgressListener, type WriteReport, writeModel } from './write-model.js';

export interface SynthOptions {
  readonly shape: SynthShape;
  readonly out: string;
  readonly weights: WeightType;
  readonly activations: ActivationType;
  readonly force: boolean;
}

/** Writes a package of random weights, by the way that a checkpoint takes. */
export function synthesize(options: SynthOptions, onProgress: ProgressListener = () => {}): WriteReport {
  const model = synthModel(options.shape);
  return writeModel(
    model,
    {
      out: options.out,
      name: basename(resolve(options.out)),
      source: `random weights in the shape of ${options.shape}`,
      weights: options.weights,
      activations: options.activations,
      replace: options.force,
      tokenizer: null,
      bosTokenId: model.config.bosTokenId,
      eosTokenIds: model.config.eosTokenIds,
      generationDefaults: { temperature: 1 },
      card: null,
    },
    onProgress,
  );
}

function synthModel(shape: SynthShape): Model {
  const config = SYNTH_SHAPES[shape];
  if (config.architecture === 'llama') {
    const shapes = new Map([
      ...llamaShapes('model.', config),
      ['lm_head.weight', embeddingShape(config)] as const,
    ]);
    return readLlamaModel(config, new RandomTensors(shapes), shape);
  }
  return randomCalm(config, PAPER_AUTOENCODER, shape);
}

/** A CALM of random weights with these sizes. */
export function randomCalm(config: CalmEnergyConfig, autoencoder: AutoencoderConfig, name: string): Model {
  const calm = new RandomTensors(new Map([...llamaShapes('transformer.', config), ...calmShapes(config)]));
  const tensors = new CheckpointTensors(new RandomTensors(new Map(autoencoderShapes(autoencoder))), name);
  return readCalmModel(config, calm, name, { config: autoencoder, tensors });
}

type Shapes = (readonly [name: string, shape: readonly number[]])[];

function embeddingShape({ vocabSize, hiddenSize }: BackboneConfig): readonly number[] {
  return [vocabSize, hiddenSize];
}

function withBias(name: string, outputs: number, inputs: number): Shapes {
  return [
    [`${name}.weight`, [outputs, inputs]],
    [`${name}.bias`, [outputs]],
  ];
}

function layerNorm(name: string, size: number): Shapes {
  return [
    [`${name}.weight`, [size]],
    [`${name}.bias`, [size]],
  ];
}

function llamaShapes(prefix: string, config: BackboneConfig): Shapes {
  const { hiddenSize: hidden, intermediateSize: inner, heads, kvHeads, headSize } = config;
  const layers = Array.from({ length: config.layers }, (_, index): Shapes => {
    const name = `${prefix}layers.${index}`;
    return [
      [`${name}.input_layernorm.weight`, [hidden]],
      [`${name}.post_attention_layernorm.weight`, [hidden]],
      [`${name}.self_attn.q_proj.weight`, [heads * headSize, hidden]],
      [`${name}.self_attn.k_proj.weight`, [kvHeads * headSize, hidden]],
      [`${name}.self_attn.v_proj.weight`, [kvHeads * headSize, hidden]],
      [`${name}.self_attn.o_proj.weight`, [hidden, heads * headSize]],
      [`${name}.mlp.gate_proj.weight`, [inner, hidden]],
      [`${name}.mlp.up_proj.weight`, [inner, hidden]],
      [`${name}.mlp.down_proj.weight`, [hidden, inner]],
    ];
  });
  return [
    [`${prefix}embed_tokens.weight`, embeddingShape(config)],
    [`${prefix}norm.weight`, [hidden]],
    ...layers.flat(),
  ];
}

function calmShapes({ hiddenSize: hidden, ...config }: CalmEnergyConfig): Shapes {
  const head = 'mlp_generator.';
  const blocks = Array.from({ length: config.headBlocks }, (_, index): Shapes => {
    const name = `${head}mlp_blocks.${index}`;
    return [
      ...layerNorm(`${name}.in_ln`, hidden),
      ...withBias(`${name}.linears.0`, hidden, 2 * hidden),
      ...withBias(`${name}.linears.2`, hidden, hidden),
      ...withBias(`${name}.linears.4`, 2 * hidden, hidden),
      ...withBias(`${name}.down_proj`, hidden, hidden),
    ];
  });
  return [
    ...withBias('embed_proj.0', 2 * hidden, config.chunkSize * hidden),
    ...withBias('embed_proj.2', hidden, 2 * hidden),
    ...layerNorm('embed_proj.3', hidden),
    ...withBias(`${head}noise_embd`, hidden, config.noiseSize),
    ...layerNorm(`${head}norm_noise`, hidden),
    ...withBias(`${head}hidden_embd`, hidden, hidden),
    ...layerNorm(`${head}norm_hidden`, hidden),
    ...blocks.flat(),
    ...layerNorm(`${head}final_layer.in_ln`, hidden),
    ...withBias(`${head}final_layer.linears.0`, hidden, hidden),
    ...withBias(`${head}final_layer.linears.2`, config.latentSize, hidden),
  ];
}

function autoencoderShapes(config: AutoencoderConfig): Shapes {
  const { hiddenSize: size, intermediateSize: inner, chunkSize, latentSize } = config;
  const stack = (name: string, layers: number): Shapes =>
    Array.from(
      { length: layers },
      (_, index): Shapes => [
        [`${name}.${index}.layernorm.weight`, [size]],
        [`${name}.${index}.mlp.gate_proj.weight`, [inner, size]],
        [`${name}.${index}.mlp.up_proj.weight`, [inner, size]],
        [`${name}.${index}.mlp.down_proj.weight`, [size, inner]],
      ],
    ).flat();
  return [
    ['encoder.embed_tokens.weight', [config.vocabSize, size]],
    ...stack('encoder.encoder_layers', config.encoderLayers),
    ...withBias('encoder.squeeze_layer', size, chunkSize * size),
    ['encoder.norm.weight', [size]],
    ...withBias('encoder.hidden_to_latent', 2 * latentSize, size),
    ...withBias('decoder.latent_to_hidden', size, latentSize),
    ...stack('decoder.decoder_layers', config.decoderLayers),
    ...withBias('decoder.expand_layer', chunkSize * size, size),
    ['decoder.norm.weight', [size]],
  ];
}
