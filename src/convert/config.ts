/** A checkpoint's config.json, checked once and turned into the words that the graph builder uses. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CalmError } from '../errors.js';
import { type BackboneConfig, backboneConfig, backboneSchema } from './config-backbone.js';
import { parseFields, requireSilu } from './config-fields.js';
import { DEFAULT_HEAD_STEPS, HEAD_STEP_LIMITS } from './head-schedule.js';

export type { BackboneConfig, Llama3RopeScaling } from './config-backbone.js';

/** What all CALMs have, whatever their head. */
interface CalmSizes extends BackboneConfig {
  /** Tokens a chunk, K (`patch_size`). */
  readonly chunkSize: number;
  readonly latentSize: number;
  /** Residual blocks of the head (`num_mlp_layers`). */
  readonly headBlocks: number;
}

/** CALM with the energy head (upstream: EnergyTransformer). */
export interface CalmEnergyConfig extends CalmSizes {
  readonly architecture: 'calm-energy';
  readonly noiseSize: number;
}

/** CALM with the flow head (upstream: FlowTransformer). */
export interface CalmFlowConfig extends CalmSizes {
  readonly architecture: 'calm-flow';
  /** Midpoint steps of the integration; each asks the network twice. */
  readonly headSteps: number;
}

/** CALM with the diffusion head (upstream: DiffusionTransformer). */
export interface CalmDiffusionConfig extends CalmSizes {
  readonly architecture: 'calm-diffusion';
  /** Respaced sampling steps. */
  readonly headSteps: number;
}

export type CalmConfig = CalmEnergyConfig | CalmFlowConfig | CalmDiffusionConfig;

/** The token baseline: LlamaForCausalLM. */
export interface LlamaConfig extends BackboneConfig {
  readonly architecture: 'llama';
}

/** The autoencoder that goes with a CALM (upstream: Autoencoder). */
export interface AutoencoderConfig {
  readonly architecture: 'autoencoder';
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly encoderLayers: number;
  readonly decoderLayers: number;
  readonly vocabSize: number;
  readonly chunkSize: number;
  readonly latentSize: number;
  readonly rmsEps: number;
  readonly mlpBias: boolean;
}

export type CheckpointConfig = CalmConfig | LlamaConfig | AutoencoderConfig;

const count = z.int().positive();

const calmSchema = backboneSchema.extend({
  patch_size: count,
  latent_size: count,
  num_mlp_layers: count,
});

const energySchema = calmSchema.extend({ noise_size: count });

/** Upstream's configurations say nothing of steps; those of `train/` do. */
const stepwiseSchema = (kind: keyof typeof HEAD_STEP_LIMITS) => {
  const { least, most } = HEAD_STEP_LIMITS[kind];
  return calmSchema.extend({ num_inference_steps: count.min(least).max(most).nullish() });
};

const autoencoderSchema = z.looseObject({
  hidden_size: count,
  intermediate_size: count,
  num_encoder_layers: count,
  num_decoder_layers: count,
  vocab_size: count,
  patch_size: count,
  latent_size: count,
  rms_norm_eps: z.number().positive().nullish(),
  mlp_bias: z.boolean().nullish(),
  hidden_act: z.string().nullish(),
});

const identitySchema = z.looseObject({
  architectures: z.array(z.string()).nullish(),
  model_type: z.string().nullish(),
});

type Architecture = CheckpointConfig['architecture'];

const architecturesByClass: ReadonlyMap<string, Architecture> = new Map([
  ['EnergyTransformer', 'calm-energy'],
  ['FlowTransformer', 'calm-flow'],
  ['DiffusionTransformer', 'calm-diffusion'],
  ['Autoencoder', 'autoencoder'],
  ['LlamaForCausalLM', 'llama'],
]);

const architecturesByModelType: ReadonlyMap<string, Architecture> = new Map([
  ['energy', 'calm-energy'],
  ['flow', 'calm-flow'],
  ['diffusion', 'calm-diffusion'],
  ['autoencoder', 'autoencoder'],
  ['llama', 'llama'],
]);

/**
 * Reads `<dir>/config.json`.
 * @throws CalmError bad_checkpoint where the file is missing, is no JSON, lacks a field or contradicts itself.
 */
export function readCheckpointConfig(dir: string): CheckpointConfig {
  const file = join(dir, 'config.json');
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CalmError(
      'bad_checkpoint',
      `Cannot read ${file}: name a checkpoint folder with a config.json.`,
      {
        cause,
      },
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CalmError('bad_checkpoint', `${file} is not valid JSON: ${(cause as Error).message}.`, {
      cause,
    });
  }
  return parseCheckpointConfig(json, file);
}

/** As readCheckpointConfig, from parsed JSON; `file` is named in messages. */
export function parseCheckpointConfig(json: unknown, file: string): CheckpointConfig {
  switch (architectureOf(json, file)) {
    case 'calm-energy': {
      const fields = parseFields(energySchema, json, file);
      return { architecture: 'calm-energy', ...calmSizes(fields, file), noiseSize: fields.noise_size };
    }
    case 'calm-flow': {
      const fields = parseFields(stepwiseSchema('flow'), json, file);
      const headSteps = fields.num_inference_steps ?? DEFAULT_HEAD_STEPS.flow;
      return { architecture: 'calm-flow', ...calmSizes(fields, file), headSteps };
    }
    case 'calm-diffusion': {
      const fields = parseFields(stepwiseSchema('diffusion'), json, file);
      const headSteps = fields.num_inference_steps ?? DEFAULT_HEAD_STEPS.diffusion;
      return { architecture: 'calm-diffusion', ...calmSizes(fields, file), headSteps };
    }
    case 'llama':
      return { architecture: 'llama', ...backboneConfig(parseFields(backboneSchema, json, file), file) };
    case 'autoencoder': {
      const fields = parseFields(autoencoderSchema, json, file);
      requireSilu(fields.hidden_act, file);
      return {
        architecture: 'autoencoder',
        hiddenSize: fields.hidden_size,
        intermediateSize: fields.intermediate_size,
        encoderLayers: fields.num_encoder_layers,
        decoderLayers: fields.num_decoder_layers,
        vocabSize: fields.vocab_size,
        chunkSize: fields.patch_size,
        latentSize: fields.latent_size,
        rmsEps: fields.rms_norm_eps ?? 1e-6,
        mlpBias: fields.mlp_bias ?? false,
      };
    }
  }
}

function calmSizes(fields: z.infer<typeof calmSchema>, file: string): CalmSizes {
  return {
    ...backboneConfig(fields, file),
    chunkSize: fields.patch_size,
    latentSize: fields.latent_size,
    headBlocks: fields.num_mlp_layers,
  };
}

/** Random numbers that one candidate takes. */
export function noiseSizeOf(config: CalmConfig): number {
  switch (config.architecture) {
    case 'calm-energy':
      return config.noiseSize;
    case 'calm-flow':
      return config.latentSize;
    case 'calm-diffusion':
      return config.headSteps * config.latentSize;
  }
}

function architectureOf(json: unknown, file: string): Architecture {
  const { architectures, model_type } = parseFields(identitySchema, json, file);
  for (const name of architectures ?? []) {
    const architecture = architecturesByClass.get(name);
    if (architecture !== undefined) return architecture;
  }
  const byType = model_type == null ? undefined : architecturesByModelType.get(model_type);
  if (byType !== undefined && !architectures?.length) return byType;
  throw new CalmError(
    'bad_checkpoint',
    `${file} names the architecture ${JSON.stringify(architectures?.[0] ?? model_type ?? null)}, which is not ` +
      `known here; known are ${[...architecturesByClass.keys()].join(', ')}.`,
    { param: 'architectures' },
  );
}
