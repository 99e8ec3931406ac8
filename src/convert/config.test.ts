import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CalmError } from '../errors.js';
import { type CalmEnergyConfig, parseCheckpointConfig, readCheckpointConfig } from './config.js';

const backbone = {
  hidden_size: 1024,
  intermediate_size: 2752,
  num_hidden_layers: 16,
  num_attention_heads: 16,
  num_key_value_heads: 4,
  vocab_size: 128257,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  rope_theta: 500_000,
  hidden_act: 'silu',
  bos_token_id: 128000,
  eos_token_id: 128001,
  pad_token_id: 128256,
};
const llama = { architectures: ['LlamaForCausalLM'], ...backbone };
const energy = {
  architectures: ['EnergyTransformer'],
  model_type: 'energy',
  ...backbone,
  patch_size: 4,
  latent_size: 128,
  noise_size: 64,
  num_mlp_layers: 4,
};
const parse = (json: unknown) => parseCheckpointConfig(json, 'config.json');

function message(json: unknown): string {
  try {
    parse(json);
  } catch (error) {
    expect(error).toBeInstanceOf(CalmError);
    return (error as CalmError).message;
  }
  throw new Error('expected the configuration to be refused');
}

describe('parseCheckpointConfig', () => {
  test('reads a CALM with the energy head', () => {
    expect(parse(energy)).toEqual({
      architecture: 'calm-energy',
      hiddenSize: 1024,
      intermediateSize: 2752,
      layers: 16,
      heads: 16,
      kvHeads: 4,
      headSize: 64,
      vocabSize: 128257,
      maxPositions: 2048,
      rmsEps: 1e-5,
      ropeTheta: 500_000,
      ropeScaling: null,
      tieWordEmbeddings: false,
      attentionBias: false,
      mlpBias: false,
      bosTokenId: 128000,
      eosTokenIds: [128001],
      padTokenId: 128256,
      trainingFlops: null,
      distillationFlops: null,
      chunkSize: 4,
      latentSize: 128,
      noiseSize: 64,
      headBlocks: 4,
    });
  });

  test('reads an autoencoder, whose file has no attention fields', () => {
    const json = {
      architectures: ['Autoencoder'],
      hidden_size: 512,
      intermediate_size: 1280,
      num_encoder_layers: 2,
      num_decoder_layers: 3,
      vocab_size: 128257,
      patch_size: 4,
      latent_size: 128,
    };
    expect(parse(json)).toEqual({
      architecture: 'autoencoder',
      hiddenSize: 512,
      intermediateSize: 1280,
      encoderLayers: 2,
      decoderLayers: 3,
      vocabSize: 128257,
      chunkSize: 4,
      latentSize: 128,
      rmsEps: 1e-6,
      mlpBias: false,
    });
  });

  test("fields that are left out or null take the Llama class's defaults", () => {
    const { num_key_value_heads: _, max_position_embeddings: __, rope_theta: ___, ...rest } = llama;
    const config = parse({ ...rest, num_key_value_heads: null, eos_token_id: null, pad_token_id: -1 });
    expect(config).toMatchObject({
      kvHeads: 16,
      maxPositions: 2048,
      ropeTheta: 10_000,
      eosTokenIds: [],
      padTokenId: null,
    });
  });

  test('reads several end tokens, the head size and the training cost', () => {
    const config = parse({ ...llama, eos_token_id: [7, 8], head_dim: 128, training_flops: 3.7e20 });
    expect(config).toMatchObject({ eosTokenIds: [7, 8], headSize: 128, trainingFlops: 3.7e20 });
  });

  test('reads Llama 3 rope scaling under its old, its present and its newest name', () => {
    const fields = {
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    };
    const ropeScaling = { factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositions: 8192 };
    expect(parse({ ...llama, rope_scaling: { type: 'llama3', ...fields } })).toMatchObject({ ropeScaling });
    expect(parse({ ...llama, rope_scaling: { rope_type: 'llama3', ...fields } })).toMatchObject({
      ropeScaling,
    });
    const newest = { rope_type: 'llama3', rope_theta: 1e6, ...fields };
    const { rope_theta: _, ...rest } = llama;
    expect(parse({ ...rest, rope_parameters: newest })).toMatchObject({ ropeScaling, ropeTheta: 1e6 });
    expect(parse({ ...llama, rope_scaling: { rope_type: 'default' } })).toMatchObject({ ropeScaling: null });
  });

  test.each([
    [{ ...llama, architectures: ['GPT2LMHeadModel'] }, /"GPT2LMHeadModel".*known are .*LlamaForCausalLM/],
    [{ ...backbone }, /architecture null/],
    [{ ...llama, hidden_act: 'gelu' }, /hidden_act is "gelu"/],
    [{ ...llama, hidden_size: '1024' }, /hidden_size is not what it should be/],
    [{ ...llama, num_hidden_layers: 0 }, /num_hidden_layers/],
    [{ ...llama, vocab_size: undefined }, /vocab_size/],
    [{ ...llama, bos_token_id: null }, /bos_token_id/],
    [{ ...llama, num_key_value_heads: 3 }, /num_key_value_heads is 3, which does not divide/],
    [{ ...llama, num_attention_heads: 12, num_key_value_heads: 12 }, /hidden_size is 1024, no multiple of/],
    [{ ...llama, head_dim: 63 }, /head_dim is 63/],
    [{ ...llama, eos_token_id: [1, 128257] }, /eos_token_id is 128257, but vocab_size is 128257/],
    [{ ...llama, rope_scaling: { rope_type: 'yarn', factor: 2 } }, /rope_scaling has the type "yarn"/],
    [{ ...llama, rope_scaling: { rope_type: 'llama3', factor: 2 } }, /low_freq_factor is missing/],
    [{ ...llama, partial_rotary_factor: 0.5 }, /partial_rotary_factor is 0.5/],
    [{ ...llama, quantization_config: { bits: 4 } }, /quantization_config is set/],
    [{ ...energy, patch_size: undefined }, /patch_size/],
    [[], /config\.json/],
  ])('refuses what it cannot convert: %#', (json, sentence) => {
    expect(message(json)).toMatch(sentence);
  });

  test.each([
    ['FlowTransformer', 'flow', 'calm-flow', 10],
    ['DiffusionTransformer', 'diffusion', 'calm-diffusion', 100],
  ])(
    'reads a CALM of the class %s, whose noise_size means nothing',
    (name, type, architecture, headSteps) => {
      const { noise_size: _, ...fields } = energy;
      const { architecture: __, noiseSize: ___, ...shared } = parse(energy) as CalmEnergyConfig;
      const expected = { ...shared, architecture, headSteps };
      expect(parse({ ...fields, architectures: [name] })).toEqual(expected);
      expect(parse({ ...energy, architectures: [name] })).toEqual(expected);
      expect(parse({ ...fields, architectures: [], model_type: type })).toEqual(expected);
      const trained = { ...fields, architectures: [name], num_inference_steps: 7 };
      expect(parse(trained)).toEqual({ ...expected, headSteps: 7 });
      expect(() => parse({ ...trained, num_inference_steps: 1001 })).toThrow(/num_inference_steps/);
    },
  );

  test('an energy head needs its noise size', () => {
    expect(message({ ...energy, noise_size: null })).toMatch(
      /config\.json: noise_size is not what it should be/,
    );
  });

  test('names the heads and models that it knows where it meets another', () => {
    expect(message({ ...energy, architectures: ['ConsistencyTransformer'] })).toBe(
      'config.json names the architecture "ConsistencyTransformer", which is not known here; known are ' +
        'EnergyTransformer, FlowTransformer, DiffusionTransformer, Autoencoder, LlamaForCausalLM.',
    );
  });
});

describe('readCheckpointConfig', () => {
  test('names the file that is missing or no JSON', () => {
    const dir = mkdtempSync(join(tmpdir(), 'calm-config-'));
    expect(() => readCheckpointConfig(dir)).toThrow(/Cannot read .*config\.json/);
    writeFileSync(join(dir, 'config.json'), '{');
    expect(() => readCheckpointConfig(dir)).toThrow(/config\.json is not valid JSON/);
    rmSync(dir, { recursive: true });
  });
});
