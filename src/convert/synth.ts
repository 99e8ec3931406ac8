/** Packages with random weights in a known shape: what a benchmark needs of a model that is not at hand. */
import { basename, resolve } from 'node:path';
import { type Model, readCalmModel, readLlamaModel } from './model.js';
import { RandomTensors } from './random-tensors.js';
import { PAPER_AUTOENCODER, SYNTH_SHAPES, type SynthShape } from './synth-shapes.js';
import { autoencoderTensors, calmTensors, llamaTensors, type TensorShapes } from './tensor-shapes.js';
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

/** The model of a shape, with random weights that are made when they are read. */
export function synthModel(shape: SynthShape): Model {
  const config = SYNTH_SHAPES[shape];
  const random = (shapes: TensorShapes): RandomTensors => new RandomTensors(new Map(shapes));
  if (config.architecture === 'llama') return readLlamaModel(config, random(llamaTensors(config)), shape);
  const autoencoder = new CheckpointTensors(random(autoencoderTensors(PAPER_AUTOENCODER)), shape);
  return readCalmModel(config, random(calmTensors(config)), shape, {
    config: PAPER_AUTOENCODER,
    tensors: autoencoder,
  });
}
