import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { goldenFolder } from '../../tests/reference/golden-file.js';
import { type RandomTensor, safetensors } from '../../tests/reference/write-checkpoint.js';
import { CalmError } from '../errors.js';
import { manifestSchema } from '../runtime/manifest.js';
import { formatRanks } from '../tokenizer/ranks.js';
import { type ConvertOptions, convertCheckpoint } from './convert.js';
import { SafetensorsFile } from './safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'calm-convert-'));
afterAll(() => rmSync(folder, { recursive: true }));

const checkpoint = goldenFolder('energy-k4', 'checkpoint');
const autoencoder = goldenFolder('energy-k4', 'autoencoder');

function outFolder(name: string): string {
  return join(folder, name);
}

function convert(name: string, options: Partial<ConvertOptions> = {}) {
  return convertCheckpoint({ checkpoint, autoencoder, out: outFolder(name), weights: 'fp32', ...options });
}

/** The error of a conversion that must fail, and that leaves nothing behind. */
function failure(options: Partial<ConvertOptions>): CalmError {
  const before = readdirSync(folder);
  try {
    convert('refused', options);
  } catch (error) {
    expect(readdirSync(folder)).toEqual(before);
    if (error instanceof CalmError) return error;
    throw error;
  }
  throw new Error('the conversion did not fail');
}

let copies = 0;

/** A copy of a golden folder with changed tensors and configuration. */
function changed(
  source: string,
  changeTensors: (tensors: Map<string, RandomTensor>) => void,
  config: Record<string, unknown> = {},
): string {
  const copy = mkdtempSync(join(tmpdir(), `calm-changed-${copies++}-`));
  cpSync(source, copy, { recursive: true });
  const file = new SafetensorsFile(join(source, 'model.safetensors'));
  const tensors = new Map(
    file.names().map(name => [name, { shape: file.info(name)!.shape, values: file.read(name) }] as const),
  );
  file.close();
  changeTensors(tensors);
  writeFileSync(join(copy, 'model.safetensors'), safetensors(tensors));
  const original = JSON.parse(readFileSync(join(source, 'config.json'), 'utf8'));
  writeFileSync(join(copy, 'config.json'), JSON.stringify({ ...original, ...config }));
  return copy;
}

describe('a package', () => {
  test.each(['fp32', 'int8'] as const)(
    'of %s holds every tensor once, aligned, and each graph lists what it uses',
    weights => {
      const { manifest, weightBytes } = convert('layout', { weights, force: true });
      const byOffset = new Map(
        Object.values(manifest.weights.tensors).map(tensor => [tensor.offset, tensor]),
      );
      const stored = [...byOffset.values()].toSorted((a, b) => a.offset - b.offset);
      for (const [i, { offset, bytes }] of stored.entries()) {
        expect(offset % 64).toBe(0);
        expect(offset + bytes).toBeLessThanOrEqual(stored[i + 1]?.offset ?? weightBytes);
      }
      expect(statSync(join(outFolder('layout'), manifest.weights.file)).size).toBe(weightBytes);
      const checkpointValues = [checkpoint, autoencoder].map(
        dir => statSync(join(dir, 'model.safetensors')).size,
      );
      // The checkpoint holds a second copy of the autoencoder; the package adds the rotary tables.
      expect(weightBytes).toBeLessThan(checkpointValues[0]! + 64 * stored.length);
      const graphs = Object.values(manifest.graphs);
      const used = new Set(graphs.flatMap(({ initializers }) => initializers));
      expect([...used].sort()).toEqual(Object.keys(manifest.weights.tensors).sort());
      for (const { file, initializers } of graphs) {
        const bytes = readFileSync(join(outFolder('layout'), file));
        for (const name of initializers) expect(bytes.includes(name)).toBe(true);
      }
      const { step, backbone, draw } = manifest.graphs;
      expect(new Set(step!.initializers)).toEqual(
        new Set([...backbone!.initializers, ...draw!.initializers]),
      );
    },
  );

  test('stores a tied vocabulary once, quantized or not', () => {
    for (const weights of ['fp32', 'int8', 'int4', 'fp16'] as const) {
      const { manifest } = convert(`tied-${weights}`, { weights });
      const { encoder, decoder } = manifest.graphs;
      const offsets = (names: readonly string[]): Set<number> =>
        new Set(
          names
            // Zero points, one a row, are wanted by products of integers and by blocks, not by every lookup.
            .filter(name => /vocabulary(?!\.zero_points)/.test(name))
            .map(name => manifest.weights.tensors[name]!.offset),
        );
      expect(offsets(encoder!.initializers)).toEqual(offsets(decoder!.initializers));
    }
  });

  test('says what it is', () => {
    const copy = changed(checkpoint, () => {}, { training_flops: 1.5e18 });
    writeFileSync(
      join(copy, 'generation_config.json'),
      JSON.stringify({ temperature: 0.5, max_new_tokens: 99, bos_token_id: 381 }),
    );
    convert('described', { checkpoint: copy, weights: 'int8', name: 'small' });
    const read = (file: string): string => readFileSync(join(outFolder('described'), file), 'utf8');
    expect(manifestSchema.parse(JSON.parse(read('manifest.json')))).toMatchObject({
      kind: 'calm',
      name: 'small',
      chunk_size: 4,
      vocab_size: 384,
      bos_token_id: 381,
      eos_token_ids: [382],
      pad_token_id: 383,
      weight_type: 'int8',
      activation_type: 'fp32',
      tokenizer: null,
      training_flops: 1.5e18,
      head: { kind: 'energy', noise: 'uniform', noise_size: 8, latent_size: 16 },
      backbone: { hidden_size: 64, layers: 3, heads: 4, kv_heads: 4, head_size: 16, max_positions: 64 },
    });
    expect(JSON.parse(read('generation_config.json'))).toEqual({
      temperature: 0.5,
      max_tokens: 99,
      bos_token_id: 381,
    });
    expect(read('README.md')).toMatch(
      /# small[\s\S]*\| attention \| int8, one scale an output \| 6 \| [\d,]+ \| [01]\.\d\d % \|/,
    );
  });

  test.each([
    ['flow-k4', undefined, { kind: 'flow', noise: 'normal', noise_size: 16, latent_size: 16, steps: 10 }],
    ['flow-k4', 4, { kind: 'flow', noise: 'normal', noise_size: 16, latent_size: 16, steps: 4 }],
    ['diffusion-k4', 25, { kind: 'diffusion', noise: 'normal', noise_size: 400, latent_size: 16, steps: 25 }],
  ])('of %s in %s steps says what its head is and takes', (name, headSteps, head) => {
    const inside = { checkpoint: goldenFolder(name, 'checkpoint'), autoencoder: undefined };
    const { manifest } = convert('head', { ...inside, headSteps, force: true });
    expect(manifest).toMatchObject({ head });
    const card = readFileSync(join(outFolder('head'), 'README.md'), 'utf8');
    expect(card).toMatch(new RegExp(`\\| Head \\| ${head.kind}, 2 blocks, latent 16, ${head.steps} `));
    expect(card).toContain(
      `${name === 'flow-k4' ? 'FlowTransformer' : 'DiffusionTransformer'} in checkpoint`,
    );
  });

  test('keeps the chat template of its tokenizer', () => {
    const tokenizer = mkdtempSync(join(tmpdir(), 'calm-tokenizer-'));
    const bytes = new Map(Array.from({ length: 256 }, (_, byte) => [byte, Uint8Array.of(byte)]));
    writeFileSync(join(tokenizer, 'tokenizer.model'), formatRanks(bytes));
    const config = { pattern: '[\\s\\S]', eos_token: '<end>', eos_token_id: 382 };
    for (const chat_template of ['{{ messages[0].content }}', undefined]) {
      writeFileSync(join(tokenizer, 'tokenizer_config.json'), JSON.stringify({ ...config, chat_template }));
      const { manifest } = convert(`chat-${chat_template !== undefined}`, { tokenizer });
      expect(manifest.tokenizer).toEqual({
        file: 'tokenizer.model',
        pattern: '[\\s\\S]',
        special_tokens: { '<end>': 382 },
        ...(chat_template ? { chat_template } : {}),
      });
    }
    rmSync(tokenizer, { recursive: true });
  });

  test('has the given text in front of its model card', () => {
    const card = join(folder, 'card.md');
    writeFileSync(card, '# Stories\n\nTrained on stories.\n');
    convert('carded', { card });
    rmSync(card);
    const text = readFileSync(join(outFolder('carded'), 'README.md'), 'utf8');
    expect(text.startsWith('# Stories\n\nTrained on stories.\n\n## Package')).toBe(true);
  });

  test('is replaced only when that is wanted', () => {
    convert('twice');
    const { message, code } = failure({ out: outFolder('twice') });
    expect(code).toBe('bad_usage');
    expect(message).toContain('--force');
    writeFileSync(join(outFolder('twice'), 'stray'), '');
    convert('twice', { force: true });
    expect(existsSync(join(outFolder('twice'), 'stray'))).toBe(false);
    expect(readdirSync(folder).filter(name => name.startsWith('.'))).toEqual([]);
  });

  test('reports its progress up to the last value', () => {
    let last = { doneElements: 0, totalElements: -1 };
    convertCheckpoint({ checkpoint, autoencoder, out: outFolder('progress'), weights: 'int8' }, progress => {
      expect(progress.doneElements).toBeGreaterThanOrEqual(last.doneElements);
      last = progress;
    });
    expect(last.doneElements).toBe(last.totalElements);
  });
});

describe('a checkpoint that does not fit is refused in one sentence', () => {
  test('a tensor is missing', () => {
    const copy = changed(checkpoint, tensors => tensors.delete('transformer.layers.1.mlp.up_proj.weight'));
    const { code, message, param } = failure({ checkpoint: copy });
    expect(code).toBe('bad_checkpoint');
    expect(param).toBe('transformer.layers.1.mlp.up_proj.weight');
    expect(message).toBe(
      `${copy}: the tensor transformer.layers.1.mlp.up_proj.weight of shape [176, 64] is missing from the weights.`,
    );
  });

  test('a tensor is missing under both of its names', () => {
    const copy = changed(autoencoder, tensors => tensors.delete('encoder.embed_tokens.weight'));
    expect(failure({ autoencoder: copy }).message).toContain(
      'the tensor encoder.embed_tokens.weight (or decoder.lm_head_weight) of shape [384, 48] is missing',
    );
  });

  test('a tensor has another shape', () => {
    const copy = changed(checkpoint, tensors => {
      tensors.set('embed_proj.0.weight', { shape: [128, 128], values: new Float32Array(128 * 128) });
    });
    const { code, message } = failure({ checkpoint: copy });
    expect(code).toBe('bad_checkpoint');
    expect(message).toBe(
      `${copy}: the tensor embed_proj.0.weight has the shape [128, 128], but config.json asks for [128, 256].`,
    );
  });

  test.each([
    ['flow-k4', 'generative_head.net.input_proj.weight', '[64, 16]'],
    ['flow-k4', 'generative_head.net.time_embed.mlp.0.weight', '[64, 256]'],
    ['diffusion-k4', 'generative_head.net.res_blocks.1.adaLN_modulation.1.bias', '[192]'],
    ['diffusion-k4', 'generative_head.net.final_layer.linear.weight', '[32, 64]'],
  ])('%s: %s is missing', (name, tensor, shape) => {
    const source = goldenFolder(name, 'checkpoint');
    const copy = changed(source, tensors => tensors.delete(tensor));
    const { code, message, param } = failure({ checkpoint: copy, autoencoder: undefined });
    expect([code, param]).toEqual(['bad_checkpoint', tensor]);
    expect(message).toBe(`${copy}: the tensor ${tensor} of shape ${shape} is missing from the weights.`);
  });

  test('the head is of another kind than the configuration says', () => {
    const flow = goldenFolder('flow-k4', 'checkpoint');
    const asDiffusion = changed(flow, () => {}, { architectures: ['DiffusionTransformer'] });
    expect(failure({ checkpoint: asDiffusion, autoencoder: undefined }).message).toBe(
      `${asDiffusion}: the tensor generative_head.net.final_layer.linear.weight has the shape [16, 64], but config.json asks for [32, 64].`,
    );
    const asEnergy = changed(flow, () => {}, { architectures: ['EnergyTransformer'] });
    expect(failure({ checkpoint: asEnergy, autoencoder: undefined }).message).toMatch(
      /: the tensor mlp_generator\.\S+ of shape \S+ \S+ is missing from the weights\.$/,
    );
    const deeper = changed(flow, () => {}, { num_mlp_layers: 3 });
    expect(failure({ checkpoint: deeper, autoencoder: undefined }).message).toContain('res_blocks.2.');
  });

  test('steps that a head does not have', () => {
    const stepsOf = (name: string, headSteps: number): string =>
      failure({ checkpoint: goldenFolder(name, 'checkpoint'), autoencoder: undefined, headSteps }).message;
    expect(stepsOf('flow-k4', 501)).toBe(
      '--head-steps 501 is no number of steps for a flow head; give one from 1 to 500.',
    );
    expect(stepsOf('diffusion-k4', 1)).toContain('for a diffusion head; give one from 2 to 1000.');
    expect(stepsOf('energy-k4', 4)).toBe(
      '--head-steps is for CALMs with a flow or diffusion head, and this is a calm-energy model; leave it out.',
    );
  });

  test('a value is not a number, found in the middle of writing', () => {
    const copy = changed(checkpoint, tensors => {
      tensors.get('transformer.layers.2.mlp.down_proj.weight')!.values[5] = Number.NaN;
    });
    expect(failure({ checkpoint: copy, weights: 'int8' }).message).toContain(
      'transformer.layers.2.mlp.down_proj.weight has values that are not finite',
    );
  });

  test('the autoencoder belongs to another CALM', () => {
    const other = goldenFolder('energy-k2-bin-bf16', 'autoencoder');
    const { code, message } = failure({ autoencoder: other });
    expect(code).toBe('bad_checkpoint');
    expect(message).toContain('patch_size 4, but its autoencoder has 2');
  });

  test('the two folders are swapped, or the second is no autoencoder', () => {
    expect(failure({ checkpoint: autoencoder }).message).toContain('is an autoencoder');
    expect(failure({ autoencoder: checkpoint }).message).toContain('is no autoencoder');
  });

  test('there is no autoencoder', () => {
    const copy = changed(checkpoint, tensors => {
      for (const name of tensors.keys()) if (name.startsWith('ae_model.')) tensors.delete(name);
    });
    expect(failure({ checkpoint: copy, autoencoder: undefined }).message).toContain('--autoencoder');
  });

  test('generation defaults out of range', () => {
    const copy = changed(checkpoint, () => {});
    writeFileSync(join(copy, 'generation_config.json'), JSON.stringify({ temperature: -1 }));
    expect(failure({ checkpoint: copy }).message).toContain('generation_config.json: temperature is not');
    writeFileSync(join(copy, 'generation_config.json'), '{');
    expect(failure({ checkpoint: copy }).message).toContain('is not valid JSON');
  });

  test('types that no package has', () => {
    expect(failure({ weights: 'fp16', activations: 'fp32' }).code).toBe('bad_usage');
    expect(failure({ weights: 'fp32', activations: 'fp16' }).code).toBe('bad_usage');
  });
});
