/** Names and shapes of all tensors of a checkpoint, as PyTorch stores them, from its configuration. */
import type {
  AutoencoderConfig,
  BackboneConfig,
  CalmConfig,
  CalmEnergyConfig,
  LlamaConfig,
} from './config.js';

import { TIME_FEATURES } from './weights/denoiser-parameters.js';

export type TensorShapes = readonly (readonly [name: string, shape: readonly number[]])[];

/** All tensors of a LlamaForCausalLM; without `lm_head.weight` where the embeddings are tied. */
export function llamaTensors(config: LlamaConfig): TensorShapes {
  const head: TensorShapes = [['lm_head.weight', [config.vocabSize, config.hiddenSize]]];
  return [...backboneTensors('model.', config), ...(config.tieWordEmbeddings ? [] : head)];
}

function layerNorm(name: string, size: number): TensorShapes {
  return [
    [`${name}.weight`, [size]],
    [`${name}.bias`, [size]],
  ];
}

function linear(name: string, outputs: number, inputs: number, hasBias: boolean): TensorShapes {
  const bias: TensorShapes = [[`${name}.bias`, [outputs]]];
  return [[`${name}.weight`, [outputs, inputs]], ...(hasBias ? bias : [])];
}

function backboneTensors(prefix: string, config: BackboneConfig): TensorShapes {
  const { hiddenSize: hidden, intermediateSize: inner, attentionBias, mlpBias } = config;
  const querySize = config.heads * config.headSize;
  const keySize = config.kvHeads * config.headSize;
  const layers = Array.from({ length: config.layers }, (_, index): TensorShapes => {
    const name = `${prefix}layers.${index}`;
    return [
      [`${name}.input_layernorm.weight`, [hidden]],
      [`${name}.post_attention_layernorm.weight`, [hidden]],
      ...linear(`${name}.self_attn.q_proj`, querySize, hidden, attentionBias),
      ...linear(`${name}.self_attn.k_proj`, keySize, hidden, attentionBias),
      ...linear(`${name}.self_attn.v_proj`, keySize, hidden, attentionBias),
      ...linear(`${name}.self_attn.o_proj`, hidden, querySize, attentionBias),
      ...linear(`${name}.mlp.gate_proj`, inner, hidden, mlpBias),
      ...linear(`${name}.mlp.up_proj`, inner, hidden, mlpBias),
      ...linear(`${name}.mlp.down_proj`, hidden, inner, mlpBias),
    ];
  });
  return [
    [`${prefix}embed_tokens.weight`, [config.vocabSize, hidden]],
    [`${prefix}norm.weight`, [hidden]],
    ...layers.flat(),
  ];
}

/** All tensors of a CALM but its autoencoder's. */
export function calmTensors(config: CalmConfig): TensorShapes {
  const { hiddenSize: hidden, chunkSize } = config;
  return [
    ...backboneTensors('transformer.', config),
    ...linear('embed_proj.0', 2 * hidden, chunkSize * hidden, true),
    ...linear('embed_proj.2', hidden, 2 * hidden, true),
    ...layerNorm('embed_proj.3', hidden),
    ...(config.architecture === 'calm-energy' ? energyHeadTensors(config) : denoiserTensors(config)),
  ];
}

function energyHeadTensors(config: CalmEnergyConfig): TensorShapes {
  const { hiddenSize: hidden, noiseSize, latentSize, headBlocks } = config;
  const head = 'mlp_generator.';
  const blocks = Array.from({ length: headBlocks }, (_, index): TensorShapes => {
    const name = `${head}mlp_blocks.${index}`;
    return [
      ...layerNorm(`${name}.in_ln`, hidden),
      ...linear(`${name}.linears.0`, hidden, 2 * hidden, true),
      ...linear(`${name}.linears.2`, hidden, hidden, true),
      ...linear(`${name}.linears.4`, 2 * hidden, hidden, true),
      ...linear(`${name}.down_proj`, hidden, hidden, true),
    ];
  });
  return [
    ...linear(`${head}noise_embd`, hidden, noiseSize, true),
    ...layerNorm(`${head}norm_noise`, hidden),
    ...linear(`${head}hidden_embd`, hidden, hidden, true),
    ...layerNorm(`${head}norm_hidden`, hidden),
    ...blocks.flat(),
    ...layerNorm(`${head}final_layer.in_ln`, hidden),
    ...linear(`${head}final_layer.linears.0`, hidden, hidden, true),
    ...linear(`${head}final_layer.linears.2`, latentSize, hidden, true),
  ];
}

/** The network of a flow head, or of a diffusion head, whose answer has a second half. */
function denoiserTensors(config: CalmConfig): TensorShapes {
  const { hiddenSize: hidden, latentSize, headBlocks } = config;
  const net = 'generative_head.net.';
  const blocks = Array.from({ length: headBlocks }, (_, index): TensorShapes => {
    const name = `${net}res_blocks.${index}`;
    return [
      ...layerNorm(`${name}.in_ln`, hidden),
      ...linear(`${name}.mlp.0`, hidden, hidden, true),
      ...linear(`${name}.mlp.2`, hidden, hidden, true),
      ...linear(`${name}.adaLN_modulation.1`, 3 * hidden, hidden, true),
    ];
  });
  const outputs = config.architecture === 'calm-diffusion' ? 2 * latentSize : latentSize;
  return [
    ...linear(`${net}time_embed.mlp.0`, hidden, TIME_FEATURES, true),
    ...linear(`${net}time_embed.mlp.2`, hidden, hidden, true),
    ...linear(`${net}cond_embed`, hidden, hidden, true),
    ...linear(`${net}input_proj`, hidden, latentSize, true),
    ...blocks.flat(),
    ...linear(`${net}final_layer.adaLN_modulation.1`, 2 * hidden, hidden, true),
    ...linear(`${net}final_layer.linear`, outputs, hidden, true),
  ];
}

/** All tensors of an autoencoder; the tied vocabulary matrix stands under the encoder's name. */
export function autoencoderTensors(config: AutoencoderConfig): TensorShapes {
  const { hiddenSize: size, intermediateSize: inner, chunkSize, latentSize, mlpBias } = config;
  const stack = (name: string, layers: number): TensorShapes =>
    Array.from(
      { length: layers },
      (_, index): TensorShapes => [
        [`${name}.${index}.layernorm.weight`, [size]],
        ...linear(`${name}.${index}.mlp.gate_proj`, inner, size, mlpBias),
        ...linear(`${name}.${index}.mlp.up_proj`, inner, size, mlpBias),
        ...linear(`${name}.${index}.mlp.down_proj`, size, inner, mlpBias),
      ],
    ).flat();
  return [
    ['encoder.embed_tokens.weight', [config.vocabSize, size]],
    ...stack('encoder.encoder_layers', config.encoderLayers),
    ...linear('encoder.squeeze_layer', size, chunkSize * size, true),
    ['encoder.norm.weight', [size]],
    ...linear('encoder.hidden_to_latent', 2 * latentSize, size, true),
    ...linear('decoder.latent_to_hidden', size, latentSize, true),
    ...stack('decoder.decoder_layers', config.decoderLayers),
    ...linear('decoder.expand_layer', chunkSize * size, size, true),
    ['decoder.norm.weight', [size]],
  ];
}
