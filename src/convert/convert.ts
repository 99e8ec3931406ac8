/** From a Hugging Face checkpoint folder to a model package. */
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { CalmError } from '../errors.js';
import type { TensorSource } from './checkpoint.js';
import type { CalmConfig } from './config.js';
import { readGenerationDefaults } from './generation-defaults.js';
import { withHeadSteps } from './head-steps.js';
import { openCheckpoint } from './hugging-face.js';
import { type AutoencoderSource, type Model, readCalmModel, readLlamaModel } from './model.js';
import { resolveTokenizer } from './tokenizer-files.js';
import { autoencoderShape, INNER_AUTOENCODER } from './weights/autoencoder-shape.js';
import { CheckpointTensors } from './weights/checkpoint-tensors.js';
import type { ActivationType, WeightType } from './weights/weight-store.js';
import { type ProgressListener, type WriteReport, writeModel } from './write-model.js';

export interface ConvertOptions {
  /** Folder of the CALM or of the token model. */
  readonly checkpoint: string;
  /** Folder of the CALM's autoencoder; without it, the copy inside the checkpoint is used. */
  readonly autoencoder?: string | undefined;
  /** Folder to write. */
  readonly out: string;
  readonly weights: WeightType;
  /** Type of hidden states and cache; fp16 with fp16 weights and fp32 otherwise unless it is given. */
  readonly activations?: ActivationType | undefined;
  /** A tokenizer from elsewhere. */
  readonly tokenizer?: string | undefined;
  /** Name of the model; the target folder's by default. */
  readonly name?: string | undefined;
  /** Steps of a flow or diffusion head; upstream's by default. */
  readonly headSteps?: number | undefined;
  /** Replace an existing target. */
  readonly force?: boolean | undefined;
  /** A Markdown file that stands in front of the model card. */
  readonly card?: string | undefined;
}

/** Upstream's classes. */
const CLASS_NAMES = {
  'calm-energy': 'EnergyTransformer',
  'calm-flow': 'FlowTransformer',
  'calm-diffusion': 'DiffusionTransformer',
  llama: 'LlamaForCausalLM',
} as const;

export interface ConvertReport extends WriteReport {
  readonly out: string;
  /** Whether the package has a tokenizer; without one it takes and gives token ids. */
  readonly hasTokenizer: boolean;
}

/**
 * Converts a checkpoint. Reads headers and shapes first, then streams the weights tensor by tensor.
 * @throws CalmError bad_checkpoint, bad_tokenizer, unsupported or bad_usage, with a sentence for the user.
 */
export function convertCheckpoint(
  options: ConvertOptions,
  onProgress: ProgressListener = () => {},
): ConvertReport {
  const activations = activationType(options);
  const opened: TensorSource[] = [];
  try {
    const { config: given, tensors } = openCheckpoint(options.checkpoint);
    opened.push(tensors);
    const config = withHeadSteps(given, options.headSteps);
    const model = readModel(options, config, tensors, opened);
    const tokenizer = resolveTokenizer(options.checkpoint, options.tokenizer);
    if (tokenizer !== null) requireFit(tokenizer.specialTokens, model.config.vocabSize);
    const report = writeModel(
      model,
      {
        out: options.out,
        name: options.name ?? basename(resolve(options.out)),
        source: `${CLASS_NAMES[model.config.architecture]} in ${basename(resolve(options.checkpoint))}`,
        weights: options.weights,
        activations,
        replace: options.force ?? false,
        tokenizer,
        bosTokenId: model.config.bosTokenId,
        eosTokenIds: [...new Set([...model.config.eosTokenIds, ...(tokenizer?.eosIds ?? [])])],
        generationDefaults: readGenerationDefaults(options.checkpoint),
        card: options.card === undefined ? null : readCard(options.card),
      },
      onProgress,
    );
    return { ...report, out: options.out, hasTokenizer: tokenizer !== null };
  } finally {
    for (const source of opened) source.close();
  }
}

/** @throws CalmError bad_usage for a combination that no package has. */
export function activationType({
  weights,
  activations,
}: Pick<ConvertOptions, 'weights' | 'activations'>): ActivationType {
  const type = activations ?? (weights === 'fp16' ? 'fp16' : 'fp32');
  if (weights === 'fp16' && type === 'fp32') {
    throw new CalmError('bad_usage', '--weights fp16 has fp16 activations; leave --activations out.');
  }
  if (weights === 'fp32' && type === 'fp16') {
    throw new CalmError(
      'bad_usage',
      '--activations fp16 goes with --weights fp16, int8 or int4, not with fp32.',
    );
  }
  return type;
}

function readModel(
  options: ConvertOptions,
  config: ReturnType<typeof openCheckpoint>['config'],
  tensors: TensorSource,
  opened: TensorSource[],
): Model {
  switch (config.architecture) {
    case 'llama':
      return readLlamaModel(config, tensors, options.checkpoint);
    case 'calm-energy':
    case 'calm-flow':
    case 'calm-diffusion': {
      const autoencoder = openAutoencoder(options, config, tensors, opened);
      return readCalmModel(config, tensors, options.checkpoint, autoencoder);
    }
    case 'autoencoder':
      throw new CalmError(
        'bad_checkpoint',
        `${options.checkpoint} is an autoencoder: name the CALM's folder, and this one with --autoencoder.`,
      );
  }
}

function openAutoencoder(
  options: ConvertOptions,
  calm: CalmConfig,
  calmTensors: TensorSource,
  opened: TensorSource[],
): AutoencoderSource {
  const { checkpoint, autoencoder: folder } = options;
  if (folder === undefined) {
    return {
      config: autoencoderShape(calmTensors, checkpoint, calm),
      tensors: new CheckpointTensors(calmTensors, checkpoint).below(INNER_AUTOENCODER),
    };
  }
  const { config, tensors } = openCheckpoint(folder);
  opened.push(tensors);
  if (config.architecture !== 'autoencoder') {
    throw new CalmError(
      'bad_checkpoint',
      `${folder} is no autoencoder, but a ${config.architecture} model.`,
      {
        param: 'autoencoder',
      },
    );
  }
  return { config, tensors: new CheckpointTensors(tensors, folder) };
}

/** A tokenizer of another model may name ids that this one has no embedding for. */
function requireFit(specialTokens: Readonly<Record<string, number>>, vocabSize: number): void {
  const outside = Object.entries(specialTokens).find(([, id]) => id >= vocabSize);
  if (outside === undefined) return;
  throw new CalmError(
    'bad_tokenizer',
    `The tokenizer's special token ${outside[0]} has the id ${outside[1]}, but the model's vocab_size is ${vocabSize}: ` +
      'name the tokenizer that the model was trained with.',
    { param: 'tokenizer' },
  );
}

function readCard(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CalmError('bad_usage', `Cannot read the model card ${file}.`, { param: 'card', cause });
  }
}
