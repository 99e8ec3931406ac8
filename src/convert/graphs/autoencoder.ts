/** The autoencoder's two halves: K tokens to the law of a latent, and a latent to K tokens. */
import type { AutoencoderConfig } from '../config.js';
import type { AutoencoderParameters, FeedForward } from '../weights/autoencoder-parameters.js';
import type { LayerGraph, ResidualStream } from './layers.js';

function addFeedForward(
  layers: LayerGraph,
  stream: ResidualStream,
  blocks: readonly FeedForward[],
): ResidualStream {
  let current = stream;
  for (const block of blocks) {
    const { normed, stream: summed } = layers.rmsNorm(current, block.norm);
    const update = layers.linear(layers.swiglu(layers.linear(normed, block.gateAndUp)), block.down);
    current = { ...summed, update };
  }
  return current;
}

function sum(layers: LayerGraph, { residual, update }: ResidualStream): string {
  return update === null ? residual : layers.add(residual, update);
}

/** latent [N, l] in the activation type -> logits [N * K, V] in the activation type. */
export function addDecoderLogits(
  layers: LayerGraph,
  latent: string,
  { decoder, vocabulary }: AutoencoderParameters,
  config: AutoencoderConfig,
): string {
  const start: ResidualStream = { residual: layers.linear(latent, decoder.input), update: null };
  const chunk = sum(layers, addFeedForward(layers, start, decoder.chunkLayers));
  const tokens = layers.reshape(layers.linear(chunk, decoder.expand), [-1, config.hiddenSize]);
  const stream = addFeedForward(layers, { residual: tokens, update: null }, decoder.tokenLayers);
  return layers.logits(layers.rmsNorm(stream, decoder.norm).normed, vocabulary);
}

/** input_ids int64 [N, K] -> mean and log standard deviation, [N, l] each, in the activation type. */
export function addEncoder(
  layers: LayerGraph,
  inputIds: string,
  { encoder, vocabulary }: AutoencoderParameters,
  config: AutoencoderConfig,
): { readonly mean: string; readonly logStd: string } {
  const { chunkSize, hiddenSize } = config;
  const embedded = layers.reshape(layers.lookup(inputIds, vocabulary), [-1, hiddenSize]);
  const tokens = sum(
    layers,
    addFeedForward(layers, { residual: embedded, update: null }, encoder.tokenLayers),
  );
  const squeezed = layers.linear(layers.reshape(tokens, [-1, chunkSize * hiddenSize]), encoder.squeeze);
  const stream = addFeedForward(layers, { residual: squeezed, update: null }, encoder.chunkLayers);
  const law = layers.linear(layers.rmsNorm(stream, encoder.norm).normed, encoder.output);
  const [mean, logStd] = layers.split(law, 2) as [string, string];
  return { mean, logStd };
}
