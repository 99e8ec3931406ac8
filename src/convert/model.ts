/** A checkpoint turned into a model's parameters, checked as a whole before anything is written. */
import { CalmError } from '../errors.js';
import type { GraphName } from '../runtime/manifest.js';
import type { TensorSource } from './checkpoint.js';
import type { AutoencoderConfig, CalmConfig, LlamaConfig } from './config.js';
import { buildCalmGraphs, type CalmModelParts } from './graphs/calm-graphs.js';
import { buildTokenGraphs } from './graphs/token-graphs.js';
import type { GraphBuilder } from './onnx/graph-builder.js';
import { readAutoencoder } from './weights/autoencoder-parameters.js';
import { readCalm } from './weights/calm-parameters.js';
import { CheckpointTensors } from './weights/checkpoint-tensors.js';
import { readTokenModel, type TokenModelParameters } from './weights/token-model-parameters.js';
import type { WeightStore } from './weights/weight-store.js';

/** A token model, ready to become graphs. */
export interface TokenModelParts {
  readonly config: LlamaConfig;
  readonly parameters: TokenModelParameters;
}

export type Model =
  | ({ readonly kind: 'calm' } & CalmModelParts)
  | ({ readonly kind: 'token' } & TokenModelParts);

/** An autoencoder's configuration and where its tensors are. */
export interface AutoencoderSource {
  readonly config: AutoencoderConfig;
  readonly tensors: CheckpointTensors;
}

/**
 * Reads a CALM and its autoencoder.
 * @throws CalmError bad_checkpoint where tensors do not fit or the two parts do not belong together.
 */
export function readCalmModel(
  config: CalmConfig,
  source: TensorSource,
  folder: string,
  autoencoder: AutoencoderSource,
): Model {
  for (const [field, name] of [
    ['chunkSize', 'patch_size'],
    ['vocabSize', 'vocab_size'],
    ['latentSize', 'latent_size'],
  ] as const) {
    if (config[field] !== autoencoder.config[field]) {
      throw new CalmError(
        'bad_checkpoint',
        `The CALM in ${folder} has ${name} ${config[field]}, but its autoencoder has ${autoencoder.config[field]}: ` +
          'name the autoencoder that it was trained with.',
        { param: name },
      );
    }
  }
  return {
    kind: 'calm',
    config,
    autoencoderConfig: autoencoder.config,
    parameters: readCalm(new CheckpointTensors(source, folder), config),
    autoencoder: readAutoencoder(autoencoder.tensors, autoencoder.config),
  };
}

/**
 * Reads a token model.
 * @throws CalmError bad_checkpoint where tensors do not fit.
 */
export function readLlamaModel(config: LlamaConfig, source: TensorSource, folder: string): Model {
  return { kind: 'token', config, parameters: readTokenModel(new CheckpointTensors(source, folder), config) };
}

/** Builds a model's graphs and stores its parameters on the way. */
export function buildGraphs(
  model: Model,
  store: WeightStore,
  dataFile: string,
): Map<GraphName, GraphBuilder> {
  return model.kind === 'calm'
    ? buildCalmGraphs(model, store, dataFile)
    : buildTokenGraphs(model.config, model.parameters, store, dataFile);
}

/** How many values a model's parameters have; a tied table counts once. */
export function countElements(model: Model): number {
  const seen = new Set<unknown>();
  const count = (value: unknown): number => {
    if (value instanceof Float32Array) return value.length;
    if (typeof value !== 'object' || value === null || seen.has(value)) return 0;
    seen.add(value);
    if ('read' in value && 'rows' in value && 'columns' in value) {
      return (value.rows as number) * (value.columns as number);
    }
    return Object.values(value).reduce<number>((sum, part) => sum + count(part), 0);
  };
  return count(model.parameters) + (model.kind === 'calm' ? count(model.autoencoder) : 0);
}
