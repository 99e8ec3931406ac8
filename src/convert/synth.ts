/** Packages with random weights in a known shape: what a benchmark needs of a model that is not at hand. */
import { basename, resolve } from 'node:path';
import { CalmError } from '../errors.js';
import type { CalmConfig, CalmEnergyConfig, LlamaConfig } from './config.js';
import { DEFAULT_HEAD_STEPS } from './head-schedule.js';
import { withHeadSteps } from './head-steps.js';
import { type Model, readCalmModel, readLlamaModel } from './model.js';
import { RandomTensors } from './random-tensors.js';
import { PAPER_AUTOENCODER, SYNTH_SHAPES, type SynthShape } from './synth-shapes.js';
import { autoencoderTensors, calmTensors, llamaTensors, type TensorShapes } from './tensor-shapes.js';
import { CheckpointTensors } from './weights/checkpoint-tensors.js';
import type { ActivationType, WeightType } from './weights/weight-store.js';
import { type ProgressListener, type WriteReport, writeModel } from './write-model.js';

export type HeadKind = 'energy' | 'flow' | 'diffusion';

export interface SynthOptions {
  readonly shape: SynthShape;
  /** Of a CALM; the paper's energy head by default. */
  readonly head?: HeadKind | undefined;
  /** Steps of a flow or diffusion head; upstream's by default. */
  readonly headSteps?: number | undefined;
  readonly out: string;
  readonly weights: WeightType;
  readonly activations: ActivationType;
  readonly force: boolean;
}

/** Writes a package of random weights, by the way that a checkpoint takes. */
export function synthesize(options: SynthOptions, onProgress: ProgressListener = () => {}): WriteReport {
  const model = synthModel(options.shape, options.head, options.headSteps);
  return writeModel(
    model,
    {
      out: options.out,
      name: basename(resolve(options.out)),
      source: `random weights in the shape of ${options.shape}${options.head ? ` with a ${options.head} head` : ''}`,
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

/**
 * The model of a shape, with random weights that are made when they are read.
 * @throws CalmError bad_usage for a head or steps that the shape does not have.
 */
export function synthModel(shape: SynthShape, head?: HeadKind, headSteps?: number): Model {
  const config = withHeadSteps(withHead(SYNTH_SHAPES[shape], head), headSteps);
  const random = (shapes: TensorShapes): RandomTensors => new RandomTensors(new Map(shapes));
  if (config.architecture === 'llama') return readLlamaModel(config, random(llamaTensors(config)), shape);
  const autoencoder = new CheckpointTensors(random(autoencoderTensors(PAPER_AUTOENCODER)), shape);
  return readCalmModel(config, random(calmTensors(config)), shape, {
    config: PAPER_AUTOENCODER,
    tensors: autoencoder,
  });
}

function withHead(
  config: CalmEnergyConfig | LlamaConfig,
  head: HeadKind | undefined,
): CalmConfig | LlamaConfig {
  if (head === undefined) return config;
  if (config.architecture === 'llama') {
    throw new CalmError(
      'bad_usage',
      `--head ${head} is for CALMs, and a token model has none; leave it out.`,
      {
        param: 'head',
      },
    );
  }
  switch (head) {
    case 'energy':
      return config;
    case 'flow':
      return { ...config, architecture: 'calm-flow', headSteps: DEFAULT_HEAD_STEPS.flow };
    case 'diffusion':
      return { ...config, architecture: 'calm-diffusion', headSteps: DEFAULT_HEAD_STEPS.diffusion };
  }
}
