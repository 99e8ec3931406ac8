/** The way from a model's parameters to a package, shared by `calm convert` and `calm synth`. */
import type { GenerationDefaults, Manifest } from '../runtime/manifest.js';
import { type BackboneConfig, type CalmConfig, noiseSizeOf } from './config.js';
import { buildGraphs, countElements, type Model } from './model.js';
import { modelCard } from './model-card.js';
import { DATA_FILE, type ManifestFields, PackageWriter, TOKENIZER_FILE } from './package-writer.js';
import { type KindSummary, summarize } from './quantization-summary.js';
import { paddedHeadSize } from './weights/head-padding.js';
import { type ActivationType, WeightStore, type WeightType } from './weights/weight-store.js';

/** A tokenizer as the package stores it. */
export interface PackageTokenizer {
  /** tiktoken ranks. */
  readonly ranksFile: Buffer;
  readonly pattern: string;
  readonly specialTokens: Readonly<Record<string, number>>;
  /** Jinja template of a conversation. */
  readonly chatTemplate?: string;
}

export interface WriteOptions {
  readonly out: string;
  readonly name: string;
  /** Architecture and folder name of the checkpoint. */
  readonly source: string;
  readonly weights: WeightType;
  readonly activations: ActivationType;
  readonly replace: boolean;
  readonly tokenizer: PackageTokenizer | null;
  readonly bosTokenId: number;
  readonly eosTokenIds: readonly number[];
  readonly generationDefaults: GenerationDefaults;
  /** Text in front of the model card. */
  readonly card: string | null;
}

/** Where a conversion is: called after every stored block of values. */
export type ProgressListener = (progress: {
  readonly tensor: string;
  readonly doneElements: number;
  readonly totalElements: number;
}) => void;

export interface WriteReport {
  readonly manifest: Manifest;
  /** Size of the data file. */
  readonly weightBytes: number;
  /** How each kind of layer was stored, and how far that is from the checkpoint. */
  readonly storage: readonly KindSummary[];
}

/** Stores the parameters, writes graphs and manifest, and puts the package in its place; on failure nothing is left. */
export function writeModel(model: Model, options: WriteOptions, onProgress: ProgressListener): WriteReport {
  const totalElements = countElements(model);
  const writer = new PackageWriter(options.out, options.replace);
  try {
    let doneElements = 0;
    const store = new WeightStore({
      file: writer.data,
      weightType: options.weights,
      activationType: options.activations,
      onStored: (tensor, elements) => {
        // Rows that pad a table are stored, but are no parameters.
        doneElements = Math.min(doneElements + elements, totalElements);
        onProgress({ tensor, doneElements, totalElements });
      },
    });
    const graphs = buildGraphs(model, store, DATA_FILE);
    const storage = summarize(store.records);
    const weightBytes = writer.data.size;
    const manifestFields = describe(model, options);
    const manifest = writer.commit({
      manifest: manifestFields,
      graphs,
      generationDefaults: options.generationDefaults,
      tokenizerRanks: options.tokenizer?.ranksFile ?? null,
      modelCard: modelCard({ model, fields: manifestFields, storage, weightBytes, text: options.card }),
    });
    return { manifest, weightBytes, storage };
  } finally {
    writer.discard();
  }
}

function describe(model: Model, options: WriteOptions): ManifestFields {
  const shared = {
    name: options.name,
    source: options.source,
    vocab_size: model.config.vocabSize,
    bos_token_id: options.bosTokenId,
    eos_token_ids: [...options.eosTokenIds],
    pad_token_id: model.config.padTokenId,
    prompt_alignment: 'bos' as const,
    backbone: backboneFields(model.config),
    weight_type: options.weights,
    activation_type: options.activations,
    tokenizer: options.tokenizer && describeTokenizer(options.tokenizer),
    training_flops: model.config.trainingFlops,
    ...(model.config.distillationFlops !== null && { distillation_flops: model.config.distillationFlops }),
  };
  if (model.kind === 'token') return { kind: 'token', chunk_size: 1, ...shared };
  return { kind: 'calm', chunk_size: model.config.chunkSize, head: headFields(model.config), ...shared };
}

function headFields(config: CalmConfig): Extract<ManifestFields, { kind: 'calm' }>['head'] {
  const sizes = { noise_size: noiseSizeOf(config), latent_size: config.latentSize };
  switch (config.architecture) {
    case 'calm-energy':
      return { kind: 'energy', noise: 'uniform', ...sizes };
    case 'calm-flow':
      return { kind: 'flow', noise: 'normal', ...sizes, steps: config.headSteps };
    case 'calm-diffusion':
      return { kind: 'diffusion', noise: 'normal', ...sizes, steps: config.headSteps };
  }
}

function describeTokenizer({ pattern, specialTokens, chatTemplate }: PackageTokenizer) {
  return {
    file: TOKENIZER_FILE,
    pattern,
    special_tokens: { ...specialTokens },
    ...(chatTemplate ? { chat_template: chatTemplate } : {}),
  };
}

function backboneFields(config: BackboneConfig): ManifestFields['backbone'] {
  return {
    hidden_size: config.hiddenSize,
    layers: config.layers,
    heads: config.heads,
    kv_heads: config.kvHeads,
    head_size: paddedHeadSize(config.headSize),
    max_positions: config.maxPositions,
  };
}
