/** Shapes and names that no recording has, judged by the float64 reference. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { TensorSource } from '../src/convert/checkpoint.js';
import {
  type AutoencoderConfig,
  type CalmConfig,
  type CalmEnergyConfig,
  type LlamaConfig,
  noiseSizeOf,
} from '../src/convert/config.js';
import { convertCheckpoint } from '../src/convert/convert.js';
import { autoencoderTensors, calmTensors, llamaTensors } from '../src/convert/tensor-shapes.js';
import { calmHidden, decoderLogits, encode, headLatent, tokenLogits } from './reference/calm-forward.js';
import { concatenate, Parameters, type Vector } from './reference/forward-layers.js';
import { CachedRow, float32, int64, numbers, PackageRunner } from './reference/package-runner.js';
import { relativeError } from './reference/relative-error.js';
import {
  mulberry32,
  type RandomTensor,
  randomTensors,
  writeCheckpoint,
} from './reference/write-checkpoint.js';

const TOLERANCE = 1e-4;
/** A diffusion multiplies the rounding of its first steps by hundreds, the more the fewer steps it has. */
const DIFFUSION_TOLERANCE = 1e-3;
const folder = mkdtempSync(join(tmpdir(), 'calm-variants-'));
afterAll(() => rmSync(folder, { recursive: true }));

const baseCalm: CalmEnergyConfig = {
  architecture: 'calm-energy',
  hiddenSize: 64,
  intermediateSize: 96,
  layers: 2,
  heads: 4,
  kvHeads: 4,
  headSize: 16,
  vocabSize: 300,
  maxPositions: 48,
  rmsEps: 1e-6,
  ropeTheta: 10_000,
  ropeScaling: null,
  tieWordEmbeddings: false,
  attentionBias: false,
  mlpBias: false,
  bosTokenId: 1,
  eosTokenIds: [2],
  padTokenId: 0,
  trainingFlops: null,
  distillationFlops: null,
  chunkSize: 4,
  latentSize: 12,
  noiseSize: 10,
  headBlocks: 2,
};

const baseAutoencoder: AutoencoderConfig = {
  architecture: 'autoencoder',
  hiddenSize: 32,
  intermediateSize: 40,
  encoderLayers: 2,
  decoderLayers: 2,
  vocabSize: baseCalm.vocabSize,
  chunkSize: baseCalm.chunkSize,
  latentSize: baseCalm.latentSize,
  rmsEps: 1e-6,
  mlpBias: false,
};

const { chunkSize: _, latentSize: __, noiseSize: ___, headBlocks: ____, ...baseBackbone } = baseCalm;
const baseLlama: LlamaConfig = { ...baseBackbone, architecture: 'llama' };
const llama3Scaling = { factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 16 };

type Tensors = Map<string, RandomTensor>;

function renamed(tensors: Tensors, rename: (name: string) => string): Tensors {
  return new Map([...tensors].map(([name, tensor]) => [rename(name), tensor]));
}

function sourceOf(tensors: Tensors): TensorSource {
  return {
    info: name => tensors.get(name) && { name, shape: tensors.get(name)!.shape },
    names: () => [...tensors.keys()],
    read: name => tensors.get(name)!.values,
    close() {},
  };
}

interface CalmVariant {
  readonly name: string;
  readonly calm?: Partial<CalmEnergyConfig>;
  /** Another head than the energy head, and its steps. */
  readonly head?: readonly [architecture: 'calm-flow' | 'calm-diffusion', headSteps: number];
  readonly autoencoder?: Partial<AutoencoderConfig>;
  readonly rename?: (name: string) => string;
  /** The autoencoder lies inside the CALM's checkpoint. */
  readonly inside?: boolean;
}

const small = { chunkSize: 2, headBlocks: 1 };

const calmVariants: readonly CalmVariant[] = [
  { name: 'K = 1', calm: { chunkSize: 1 }, autoencoder: { chunkSize: 1 } },
  { name: 'K = 3, three head blocks', calm: { chunkSize: 3, headBlocks: 3 }, autoencoder: { chunkSize: 3 } },
  { name: 'K = 8, one head block', calm: { chunkSize: 8, headBlocks: 1 }, autoencoder: { chunkSize: 8 } },
  {
    name: 'a vocabulary that is searched in blocks',
    calm: { vocabSize: 2500 },
    autoencoder: { vocabSize: 2500 },
  },
  { name: 'grouped queries', calm: { kvHeads: 2 } },
  { name: 'one key/value head, head size apart from hidden size', calm: { kvHeads: 1, headSize: 32 } },
  { name: 'a head size that is padded', calm: { headSize: 10, kvHeads: 2 } },
  { name: 'another rope_theta and rms eps', calm: { ropeTheta: 500_000, rmsEps: 1e-2 } },
  { name: 'Llama 3 rope scaling', calm: { ropeScaling: llama3Scaling } },
  {
    name: 'a deep autoencoder with another rms eps',
    autoencoder: { encoderLayers: 3, decoderLayers: 4, rmsEps: 1e-2 },
  },
  {
    name: 'a flat autoencoder with biases',
    autoencoder: { encoderLayers: 1, decoderLayers: 1, mlpBias: true },
  },
  { name: 'the head as generative_head', rename: name => name.replace('mlp_generator.', 'generative_head.') },
  {
    name: 'the vocabulary matrix as lm_head_weight',
    rename: name => name.replace('encoder.embed_tokens.weight', 'decoder.lm_head_weight'),
  },
  { name: 'the autoencoder inside the CALM', inside: true },
  { name: 'flow in 10 steps', head: ['calm-flow', 10] },
  {
    name: 'flow in 3 steps, one block, K = 2',
    head: ['calm-flow', 3],
    calm: small,
    autoencoder: { chunkSize: 2 },
  },
  { name: 'diffusion in 100 steps', head: ['calm-diffusion', 100] },
  {
    name: 'diffusion in 25 steps, one block, K = 2',
    head: ['calm-diffusion', 25],
    calm: small,
    autoencoder: { chunkSize: 2 },
  },
];

function writeCalm(variant: CalmVariant, calm: CalmConfig, autoencoder: AutoencoderConfig) {
  const rename = variant.rename ?? (name => name);
  const seed = calmVariants.indexOf(variant);
  const calmParts = renamed(randomTensors(calmTensors(calm), 2 * seed), rename);
  const autoencoderParts = renamed(randomTensors(autoencoderTensors(autoencoder), 2 * seed + 1), rename);
  const root = join(folder, `calm-${seed}`);
  const inner = variant.inside ? renamed(autoencoderParts, name => `ae_model.${name}`) : [];
  writeCheckpoint(join(root, 'checkpoint'), calm, new Map([...calmParts, ...inner]));
  writeCheckpoint(join(root, 'autoencoder'), autoencoder, autoencoderParts);
  return {
    root,
    calmParameters: new Parameters(sourceOf(calmParts)),
    autoencoderParameters: new Parameters(sourceOf(autoencoderParts)),
  };
}

describe.each(calmVariants)('CALM: $name', variant => {
  const energy = { ...baseCalm, ...variant.calm };
  const [architecture, headSteps] = variant.head ?? [];
  const calm: CalmConfig =
    architecture === undefined || headSteps === undefined ? energy : { ...energy, architecture, headSteps };
  const noiseSize = noiseSizeOf(calm);
  const autoencoder = { ...baseAutoencoder, ...variant.autoencoder };
  const { root, calmParameters, autoencoderParameters } = writeCalm(variant, calm, autoencoder);
  const out = join(root, 'package');
  convertCheckpoint({
    checkpoint: join(root, 'checkpoint'),
    autoencoder: variant.inside ? undefined : join(root, 'autoencoder'),
    out,
    weights: 'fp32',
    headSteps,
  });
  const runner = new PackageRunner(out);
  const uniform = mulberry32(7);
  const chunkCount = 24;
  const ids = Array.from({ length: chunkCount * calm.chunkSize }, () =>
    Math.floor(uniform() * calm.vocabSize),
  );
  const noise = Array.from({ length: chunkCount * noiseSize }, () => Math.fround(uniform() - 0.5));
  const noiseOf = (chunk: number): number[] => noise.slice(chunk * noiseSize, (chunk + 1) * noiseSize);
  const hidden = calmHidden(calmParameters, calm, ids);
  const latents = hidden.map((state, chunk) =>
    headLatent(calmParameters, calm, state, Float64Array.from(noiseOf(chunk))),
  );
  const logits = latents.map(latent => decoderLogits(autoencoderParameters, autoencoder, latent));

  test('the parts', async () => {
    const row = new CachedRow(runner);
    const states = numbers((await row.feed('backbone', ids)).hidden);
    expect(relativeError(states, concatenate(hidden)).largest).toBeLessThan(TOLERANCE);
    const { latent } = await runner.run('head', {
      hidden: float32(states, [chunkCount, calm.hiddenSize]),
      row: int64([...Array(chunkCount).keys()], [chunkCount]),
      noise: float32(noise, [chunkCount, noiseSize]),
    });
    const tolerance = calm.architecture === 'calm-diffusion' ? DIFFUSION_TOLERANCE : TOLERANCE;
    expect(relativeError(numbers(latent), concatenate(latents)).largest).toBeLessThan(tolerance);
    const decoded = await runner.run('decoder', { latent: latent! });
    const expected = concatenate(logits.flat());
    expect(relativeError(numbers(decoded.logits), expected).largest).toBeLessThan(tolerance);
    expectArgMax(numbers(decoded.tokens), logits.flat());
  });

  test('the fused step, chunk by chunk over the cache', async () => {
    const row = new CachedRow(runner);
    const tokens: number[] = [];
    for (let chunk = 0; chunk < chunkCount; chunk++) {
      const chunkIds = ids.slice(chunk * calm.chunkSize, (chunk + 1) * calm.chunkSize);
      const step = await row.feed('step', chunkIds, { noise: float32(noiseOf(chunk), [1, noiseSize]) });
      expect(relativeError(numbers(step.hidden), hidden[chunk]!).largest).toBeLessThan(TOLERANCE);
      tokens.push(...numbers(step.tokens));
    }
    expectArgMax(tokens, logits.flat());
  });

  test('the encoder', async () => {
    const laws = Array.from({ length: chunkCount }, (_, chunk) =>
      encode(
        autoencoderParameters,
        autoencoder,
        ids.slice(chunk * calm.chunkSize, (chunk + 1) * calm.chunkSize),
      ),
    );
    const { mean, log_std } = await runner.run('encoder', {
      input_ids: int64(ids, [chunkCount, calm.chunkSize]),
    });
    const expected = (part: 'mean' | 'logStd'): Vector => concatenate(laws.map(law => law[part]));
    expect(relativeError(numbers(mean), expected('mean')).largest).toBeLessThan(TOLERANCE);
    expect(relativeError(numbers(log_std), expected('logStd')).largest).toBeLessThan(TOLERANCE);
  });
});

const llamaVariants: readonly {
  readonly name: string;
  readonly config: Partial<LlamaConfig>;
  readonly rename?: (name: string) => string;
}[] = [
  { name: 'untied', config: {} },
  { name: 'tied', config: { tieWordEmbeddings: true } },
  {
    name: 'tied, stored as lm_head',
    config: { tieWordEmbeddings: true },
    rename: name => name.replace('model.embed_tokens.weight', 'lm_head.weight'),
  },
  { name: 'biases everywhere', config: { attentionBias: true, mlpBias: true } },
  {
    name: 'biases and padded heads with Llama 3 scaling',
    config: { attentionBias: true, headSize: 24, kvHeads: 2, ropeScaling: llama3Scaling },
  },
  {
    name: 'grouped queries, rope_theta and Llama 3 scaling',
    config: { kvHeads: 2, ropeTheta: 500_000, ropeScaling: llama3Scaling },
  },
];

describe.each(llamaVariants)('Llama: $name', ({ name, config: changes, rename = text => text }) => {
  const config = { ...baseLlama, ...changes };
  const tensors = renamed(randomTensors(llamaTensors(config), 100 + name.length), rename);
  const root = join(folder, `llama-${name}`);
  writeCheckpoint(root, config, tensors);
  const out = join(root, 'package');
  convertCheckpoint({ checkpoint: root, out, weights: 'fp32' });

  test('logits of a prefill', async () => {
    const uniform = mulberry32(11);
    const ids = Array.from({ length: 24 }, () => Math.floor(uniform() * config.vocabSize));
    const expected = tokenLogits(new Parameters(sourceOf(tensors)), config, ids);
    const runner = new PackageRunner(out);
    const { hidden } = await new CachedRow(runner).feed('backbone', ids);
    const rows = float32(numbers(hidden), [ids.length, config.hiddenSize]);
    const { logits } = await runner.run('lm_head', { hidden: rows });
    expect(relativeError(numbers(logits), concatenate(expected)).largest).toBeLessThan(TOLERANCE);
  });
});

/** Tokens must be the reference's wherever its two best logits are not all but equal. */
function expectArgMax(tokens: readonly number[], logits: readonly Vector[]): void {
  expect(tokens).toHaveLength(logits.length);
  const decided = logits.map(values => {
    const sorted = values.toSorted();
    return sorted.at(-1)! - sorted.at(-2)! > 1e-3;
  });
  const wanted = logits.map(values => values.indexOf(Math.max(...values)));
  expect(tokens.filter((_, i) => decided[i])).toEqual(wanted.filter((_, i) => decided[i]));
  expect(decided.filter(Boolean).length).toBeGreaterThan(0.9 * logits.length);
}
