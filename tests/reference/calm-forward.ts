/** CALM, its autoencoder and a token model in float64, written as upstream's PyTorch modules read. */
import type {
  AutoencoderConfig,
  CalmConfig,
  CalmEnergyConfig,
  LlamaConfig,
} from '../../src/convert/config.js';
import { diffusionLatent, flowLatent } from './denoiser-forward.js';
import { add, concatenate, type Parameters, silu, times, type Vector } from './forward-layers.js';
import { llamaHidden } from './llama-forward.js';

/** Token ids, a whole number of chunks -> hidden state after each chunk (EnergyTransformer.forward). */
export function calmHidden(parameters: Parameters, config: CalmConfig, ids: readonly number[]): Vector[] {
  const { chunkSize, hiddenSize } = config;
  const inputs = Array.from({ length: ids.length / chunkSize }, (_, chunk) => {
    const tokens = ids.slice(chunk * chunkSize, (chunk + 1) * chunkSize);
    const embedded = tokens.map(id => parameters.row(id, hiddenSize, 'transformer.embed_tokens.weight'));
    const inner = silu(parameters.linear('embed_proj.0', concatenate(embedded)));
    return parameters.layerNorm('embed_proj.3', parameters.linear('embed_proj.2', inner));
  });
  return llamaHidden(parameters.below('transformer.'), config, inputs);
}

/** Hidden state and noise -> latent. */
export function headLatent(
  parameters: Parameters,
  config: CalmConfig,
  hidden: Vector,
  noise: Vector,
): Vector {
  switch (config.architecture) {
    case 'calm-energy':
      return energyLatent(parameters, config, hidden, noise);
    case 'calm-flow':
      return flowLatent(parameters, config, hidden, noise);
    case 'calm-diffusion':
      return diffusionLatent(parameters, config, hidden, noise);
  }
}

/** MLPGenerator.sample. */
function energyLatent(
  parameters: Parameters,
  config: CalmEnergyConfig,
  hidden: Vector,
  noise: Vector,
): Vector {
  const head = parameters.below(
    parameters.has('mlp_generator.noise_embd.weight') ? 'mlp_generator.' : 'generative_head.',
  );
  let x = head.layerNorm('norm_noise', head.linear('noise_embd', noise));
  const y = head.layerNorm('norm_hidden', head.linear('hidden_embd', hidden));
  for (let index = 0; index < config.headBlocks; index++) {
    const block = head.below(`mlp_blocks.${index}.`);
    const joined = concatenate([block.layerNorm('in_ln', x), y]);
    const inner = silu(block.linear('linears.2', silu(block.linear('linears.0', joined))));
    const gateAndUp = block.linear('linears.4', inner);
    const gate = silu(gateAndUp.subarray(0, config.hiddenSize));
    const up = gateAndUp.subarray(config.hiddenSize);
    x = add(
      x,
      block.linear(
        'down_proj',
        gate.map((value, i) => value * up[i]!),
      ),
    );
  }
  const last = head.below('final_layer.');
  return last.linear('linears.2', silu(last.linear('linears.0', last.layerNorm('in_ln', x))));
}

function autoencoderLayer(parameters: Parameters, name: string, x: Vector, epsilon: number): Vector {
  return add(x, parameters.swiglu(`${name}.mlp`, parameters.rmsNorm(`${name}.layernorm`, x, epsilon)));
}

/** Latent -> logits of each of the K tokens (Autoencoder.decoder). */
export function decoderLogits(parameters: Parameters, config: AutoencoderConfig, latent: Vector): Vector[] {
  const { chunkSize, hiddenSize, decoderLayers, rmsEps } = config;
  const vocabulary = parameters.read('decoder.lm_head_weight', 'encoder.embed_tokens.weight');
  const decoder = parameters.below('decoder.');
  const half = Math.floor(decoderLayers / 2);
  let chunk = decoder.linear('latent_to_hidden', latent);
  for (let i = 0; i < half; i++) chunk = autoencoderLayer(decoder, `decoder_layers.${i}`, chunk, rmsEps);
  const expanded = decoder.linear('expand_layer', chunk);
  return Array.from({ length: chunkSize }, (_, position) => {
    let token: Vector = expanded.slice(position * hiddenSize, (position + 1) * hiddenSize);
    for (let i = half; i < decoderLayers; i++) {
      token = autoencoderLayer(decoder, `decoder_layers.${i}`, token, rmsEps);
    }
    return times(vocabulary, decoder.rmsNorm('norm', token, rmsEps));
  });
}

/** K tokens -> mean and log standard deviation (Autoencoder.encoder). */
export function encode(
  parameters: Parameters,
  config: AutoencoderConfig,
  ids: readonly number[],
): { mean: Vector; logStd: Vector } {
  const { hiddenSize, encoderLayers, latentSize, rmsEps } = config;
  const encoder = parameters.below('encoder.');
  const half = Math.floor(encoderLayers / 2);
  const tokens = ids.map(id => {
    let x = parameters.row(id, hiddenSize, 'encoder.embed_tokens.weight', 'decoder.lm_head_weight');
    for (let i = 0; i < half; i++) x = autoencoderLayer(encoder, `encoder_layers.${i}`, x, rmsEps);
    return x;
  });
  let chunk = encoder.linear('squeeze_layer', concatenate(tokens));
  for (let i = half; i < encoderLayers; i++) {
    chunk = autoencoderLayer(encoder, `encoder_layers.${i}`, chunk, rmsEps);
  }
  const law = encoder.linear('hidden_to_latent', encoder.rmsNorm('norm', chunk, rmsEps));
  return { mean: law.subarray(0, latentSize), logStd: law.subarray(latentSize) };
}

/** Token ids -> logits at each position (LlamaForCausalLM.forward). */
export function tokenLogits(parameters: Parameters, config: LlamaConfig, ids: readonly number[]): Vector[] {
  const table = 'model.embed_tokens.weight';
  const tied = config.tieWordEmbeddings;
  const inputs = ids.map(id =>
    parameters.row(id, config.hiddenSize, ...(tied ? [table, 'lm_head.weight'] : [table])),
  );
  const projection = tied ? parameters.read('lm_head.weight', table) : parameters.read('lm_head.weight');
  return llamaHidden(parameters.below('model.'), config, inputs).map(hidden => times(projection, hidden));
}
