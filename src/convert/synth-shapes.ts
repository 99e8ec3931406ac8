/** The model shapes of the CALM paper (table 1 and appendix), for benchmarks without weights. */
import type { AutoencoderConfig, BackboneConfig, CalmEnergyConfig, LlamaConfig } from './config.js';

/** Llama 3's vocabulary and a padding token. */
const VOCABULARY = {
  vocabSize: 128_257,
  bosTokenId: 128_000,
  eosTokenIds: [128_001],
  padTokenId: 128_256,
} as const;

function backbone(layers: number, hiddenSize: number, intermediateSize: number): BackboneConfig {
  const heads = 16;
  return {
    hiddenSize,
    intermediateSize,
    layers,
    heads,
    kvHeads: heads,
    headSize: hiddenSize / heads,
    maxPositions: 2048,
    rmsEps: 1e-6,
    ropeTheta: 10_000,
    ropeScaling: null,
    tieWordEmbeddings: false,
    attentionBias: false,
    mlpBias: false,
    trainingFlops: null,
    distillationFlops: null,
    ...VOCABULARY,
  };
}

function calm(layers: number, hiddenSize: number, intermediateSize: number): CalmEnergyConfig {
  return {
    architecture: 'calm-energy',
    ...backbone(layers, hiddenSize, intermediateSize),
    chunkSize: 4,
    latentSize: 128,
    noiseSize: 64,
    headBlocks: layers / 4,
  };
}

function transformer(layers: number, hiddenSize: number, intermediateSize: number): LlamaConfig {
  return { architecture: 'llama', ...backbone(layers, hiddenSize, intermediateSize) };
}

/** The autoencoder that all CALMs of the paper share. */
export const PAPER_AUTOENCODER: AutoencoderConfig = {
  architecture: 'autoencoder',
  hiddenSize: 512,
  intermediateSize: 1280,
  encoderLayers: 2,
  decoderLayers: 2,
  vocabSize: VOCABULARY.vocabSize,
  chunkSize: 4,
  latentSize: 128,
  rmsEps: 1e-6,
  mlpBias: false,
};

/** Shapes by name. */
export const SYNTH_SHAPES = {
  'calm-m': calm(16, 1024, 2752),
  'calm-l': calm(16, 1536, 4096),
  'calm-xl': calm(16, 2560, 6880),
  'transformer-s': transformer(12, 768, 2048),
  'transformer-m': transformer(16, 1024, 2752),
  'transformer-l': transformer(16, 1536, 4096),
} as const satisfies Record<string, CalmEnergyConfig | LlamaConfig>;

export type SynthShape = keyof typeof SYNTH_SHAPES;
