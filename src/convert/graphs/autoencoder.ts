/** The autoencoder's two halves: K tokens to the law of a latent, and a latent to K tokens. */
import type { AutoencoderConfig } from '../config.js';
import {
  ARG_MAX_BLOCK,
  type AutoencoderParameters,
  type FeedForward,
} from '../weights/autoencoder-parameters.js';
import { addArgMax } from './arg-max.js';
import type { LayerGraph, ResidualStream, UnscaledLogits } from './layers.js';

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

/**
 * latent [N, l] -> logits [N * K, stored rows of the vocabulary], not yet scaled, both in the activation type. With
 * `place`, int64 [M], of those positions of the N * K only: [M, stored rows].
 */
export function addDecoderLogits(
  layers: LayerGraph,
  latent: string,
  { decoder, vocabulary }: AutoencoderParameters,
  config: AutoencoderConfig,
  place: string | null = null,
): UnscaledLogits {
  const start: ResidualStream = { residual: layers.linear(latent, decoder.input), update: null };
  const chunk = sum(layers, addFeedForward(layers, start, decoder.chunkLayers));
  const all = layers.reshape(layers.linear(chunk, decoder.expand), [-1, config.hiddenSize]);
  const tokens = place === null ? all : layers.graph.node('Gather', [all, place]);
  const stream = addFeedForward(layers, { residual: tokens, update: null }, decoder.tokenLayers);
  return layers.unscaledLogits(layers.rmsNorm(stream, decoder.norm).normed, vocabulary);
}

/** logits of addDecoderLogits -> token ids int64 [N, K]. */
export function addTokens(
  layers: LayerGraph,
  logits: UnscaledLogits,
  parameters: AutoencoderParameters,
  config: AutoencoderConfig,
): string {
  return layers.reshape(addTokenOf(layers, logits, parameters, config), [-1, config.chunkSize]);
}

/** logits [M, stored rows of the vocabulary] -> token ids int64 [M]. */
export function addTokenOf(
  layers: LayerGraph,
  { values }: UnscaledLogits,
  { vocabulary }: AutoencoderParameters,
  { vocabSize }: AutoencoderConfig,
): string {
  const { rows: width } = layers.store.table(vocabulary);
  const tokens = addArgMax(layers.graph, values, { width, vocabSize, block: ARG_MAX_BLOCK });
  return layers.reshape(tokens, [-1]);
}

/** logits of addDecoderLogits -> logits [N, K, V], without the vocabulary's padding. */
export function addChunkLogits(
  layers: LayerGraph,
  logits: UnscaledLogits,
  { vocabulary }: AutoencoderParameters,
  { chunkSize, vocabSize }: AutoencoderConfig,
): string {
  const { rows: width } = layers.store.table(vocabulary);
  const range = [[0], [vocabSize], [1]].map(bound => layers.graph.int64(bound));
  const values = layers.scaledLogits(logits);
  const inside = width === vocabSize ? values : layers.graph.node('Slice', [values, ...range]);
  return layers.reshape(inside, [-1, chunkSize, vocabSize]);
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
