/** The graphs of a CALM package; inputs and outputs as docs/model-package.md lists them. */
import type { GraphName } from '../../runtime/manifest.js';
import { type AutoencoderConfig, type CalmConfig, noiseSizeOf } from '../config.js';
import type { GraphBuilder } from '../onnx/graph-builder.js';
import type { AutoencoderParameters } from '../weights/autoencoder-parameters.js';
import type { CalmParameters } from '../weights/calm-parameters.js';
import type { WeightStore } from '../weights/weight-store.js';
import { addChunkLogits, addDecoderLogits, addEncoder, addTokenOf, addTokens } from './autoencoder.js';
import { addDecoderStack } from './backbone.js';
import { addLatents } from './head.js';
import { LayerGraph } from './layers.js';

/** A CALM, ready to become graphs. */
export interface CalmModelParts {
  readonly config: CalmConfig;
  readonly autoencoderConfig: AutoencoderConfig;
  readonly parameters: CalmParameters;
  readonly autoencoder: AutoencoderParameters;
}

/** Builds the graphs in turn; parameters are stored when the first graph asks for them. */
export function buildCalmGraphs(
  parts: CalmModelParts,
  store: WeightStore,
  dataFile: string,
): Map<GraphName, GraphBuilder> {
  const builders: readonly (readonly [GraphName, (layers: LayerGraph) => void])[] = [
    ['backbone', layers => buildBackbone(layers, parts)],
    ['head', layers => buildHead(layers, parts)],
    ['decoder', layers => buildDecoder(layers, parts)],
    ['draw', layers => buildDraw(layers, parts)],
    ...positionGraph(parts),
    ['encoder', layers => buildEncoder(layers, parts)],
    ['step', layers => buildStep(layers, parts)],
  ];
  const graphs = new Map<GraphName, GraphBuilder>();
  for (const [name, build] of builders) {
    const layers = new LayerGraph(name, dataFile, store);
    build(layers);
    graphs.set(name, layers.graph);
  }
  return graphs;
}

function buildBackbone(layers: LayerGraph, parts: CalmModelParts): void {
  const inputIds = layers.graph.input('input_ids', 'int64', ['B', 'T*K']);
  const hidden = addBackbone(layers, inputIds, parts);
  layers.graph.output('hidden', hidden, layers.float, ['B', 'T', parts.config.hiddenSize]);
}

function buildHead(layers: LayerGraph, parts: CalmModelParts): void {
  const latent = addCandidatesOfRows(layers, parts);
  layers.float32Output('latent', latent, ['N', parts.config.latentSize]);
}

function buildDecoder(layers: LayerGraph, parts: CalmModelParts): void {
  const { chunkSize, latentSize, vocabSize } = parts.config;
  const latent = layers.float32Input('latent', ['N', latentSize]);
  const { autoencoder, autoencoderConfig } = parts;
  const logits = addDecoderLogits(layers, latent, autoencoder, autoencoderConfig);
  const tokens = addTokens(layers, logits, autoencoder, autoencoderConfig);
  layers.graph.output('tokens', tokens, 'int64', ['N', chunkSize]);
  const chunkLogits = addChunkLogits(layers, logits, autoencoder, autoencoderConfig);
  layers.float32Output('logits', chunkLogits, ['N', chunkSize, vocabSize]);
}

function buildDraw(layers: LayerGraph, parts: CalmModelParts): void {
  const latent = addCandidatesOfRows(layers, parts);
  addTokensOf(layers, latent, parts, 'N');
}

/** Other heads are dear and the vocabulary is not what costs: there a candidate is decoded whole. */
function positionGraph(
  parts: CalmModelParts,
): readonly (readonly [GraphName, (layers: LayerGraph) => void])[] {
  return parts.parameters.head.kind === 'energy'
    ? [['position', layers => buildPosition(layers, parts)]]
    : [];
}

function buildPosition(layers: LayerGraph, parts: CalmModelParts): void {
  const latent = addCandidatesOfRows(layers, parts);
  const place = layers.graph.input('place', 'int64', ['M']);
  const { autoencoder, autoencoderConfig: config } = parts;
  const logits = addDecoderLogits(layers, latent, autoencoder, config, place);
  layers.graph.output('tokens', addTokenOf(layers, logits, autoencoder, config), 'int64', ['M']);
}

function buildEncoder(layers: LayerGraph, parts: CalmModelParts): void {
  const { chunkSize, latentSize } = parts.config;
  const inputIds = layers.graph.input('input_ids', 'int64', ['N', chunkSize]);
  const { mean, logStd } = addEncoder(layers, inputIds, parts.autoencoder, parts.autoencoderConfig);
  layers.float32Output('mean', mean, ['N', latentSize]);
  layers.float32Output('log_std', logStd, ['N', latentSize]);
}

function buildStep(layers: LayerGraph, parts: CalmModelParts): void {
  const { chunkSize, hiddenSize } = parts.config;
  const inputIds = layers.graph.input('input_ids', 'int64', ['B', chunkSize]);
  const noise = layers.graph.input('noise', 'float32', ['B', noiseSizeOf(parts.config)]);
  const hidden = layers.reshape(addBackbone(layers, inputIds, parts), [-1, hiddenSize]);
  layers.graph.output('hidden', hidden, layers.float, ['B', hiddenSize]);
  const latent = addLatents(layers, { hidden, row: null, noise }, parts.parameters.head);
  addTokensOf(layers, latent, parts, 'B');
}

/** input_ids [B, T*K] -> hidden [B, T, h]. */
function addBackbone(layers: LayerGraph, inputIds: string, { config, parameters }: CalmModelParts): string {
  const { input } = parameters;
  const tokens = layers.lookup(inputIds, input.embedding);
  const chunks = layers.reshape(tokens, [0, -1, config.chunkSize * config.hiddenSize]);
  const inner = layers.silu(layers.linear(chunks, input.expand));
  const embedded = layers.layerNorm(layers.linear(inner, input.contract), input.norm);
  return addDecoderStack(layers, embedded, parameters.backbone, config);
}

/** Declares hidden, row and noise; gives the candidates' latents [N, l]. */
function addCandidatesOfRows(layers: LayerGraph, { config, parameters }: CalmModelParts): string {
  const hidden = layers.graph.input('hidden', layers.float, ['B', config.hiddenSize]);
  const row = layers.graph.input('row', 'int64', ['N']);
  const noise = layers.graph.input('noise', 'float32', ['N', noiseSizeOf(config)]);
  return addLatents(layers, { hidden, row, noise }, parameters.head);
}

/** Decodes latents to the graph's output `tokens`. */
function addTokensOf(layers: LayerGraph, latent: string, parts: CalmModelParts, rows: string): void {
  const { autoencoder, autoencoderConfig: config } = parts;
  const logits = addDecoderLogits(layers, latent, autoencoder, config);
  const tokens = addTokens(layers, logits, autoencoder, config);
  layers.graph.output('tokens', tokens, 'int64', [rows, config.chunkSize]);
}
