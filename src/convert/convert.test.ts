import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { autoencoder, checkpoint, GoldenConversion } from '../../tests/golden-conversion.js';
import { goldenFolder } from '../../tests/reference/golden-file.js';
import { manifestSchema } from '../runtime/manifest.js';
import { formatRanks } from '../tokenizer/ranks.js';
import { convertCheckpoint } from './convert.js';

const golden = new GoldenConversion();
afterAll(() => golden.remove());

describe('a package', () => {
  test.each(['fp32', 'int8'] as const)(
    'of %s holds every tensor once, aligned, and each graph lists what it uses',
    weights => {
      const { manifest, weightBytes } = golden.convert('layout', { weights, force: true });
      const byOffset = new Map(
        Object.values(manifest.weights.tensors).map(tensor => [tensor.offset, tensor]),
      );
      const stored = [...byOffset.values()].toSorted((a, b) => a.offset - b.offset);
      for (const [i, { offset, bytes }] of stored.entries()) {
        expect(offset % 64).toBe(0);
        expect(offset + bytes).toBeLessThanOrEqual(stored[i + 1]?.offset ?? weightBytes);
      }
      expect(statSync(join(golden.outFolder('layout'), manifest.weights.file)).size).toBe(weightBytes);
      const checkpointValues = [checkpoint, autoencoder].map(
        dir => statSync(join(dir, 'model.safetensors')).size,
      );
      // The checkpoint holds a second copy of the autoencoder; the package adds the rotary tables.
      expect(weightBytes).toBeLessThan(checkpointValues[0]! + 64 * stored.length);
      const graphs = Object.values(manifest.graphs);
      const used = new Set(graphs.flatMap(({ initializers }) => initializers));
      expect([...used].sort()).toEqual(Object.keys(manifest.weights.tensors).sort());
      for (const { file, initializers } of graphs) {
        const bytes = readFileSync(join(golden.outFolder('layout'), file));
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
      const { manifest } = golden.convert(`tied-${weights}`, { weights });
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
    const copy = golden.change(checkpoint, () => {}, { training_flops: 1.5e18, distillation_flops: 2.5e18 });
    writeFileSync(
      join(copy, 'generation_config.json'),
      JSON.stringify({ temperature: 0.5, max_new_tokens: 99, bos_token_id: 381 }),
    );
    golden.convert('described', { checkpoint: copy, weights: 'int8', name: 'small' });
    const read = (file: string): string => readFileSync(join(golden.outFolder('described'), file), 'utf8');
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
      distillation_flops: 2.5e18,
      head: { kind: 'energy', noise: 'uniform', noise_size: 8, latent_size: 16 },
      backbone: { hidden_size: 64, layers: 3, heads: 4, kv_heads: 4, head_size: 16, max_positions: 64 },
    });
    expect(JSON.parse(read('generation_config.json'))).toEqual({
      temperature: 0.5,
      max_tokens: 99,
      bos_token_id: 381,
    });
    expect(read('README.md')).toContain(
      '1.50e+18 FLOPs, and 2.50e+18 FLOPs of a teacher and of what it wrote',
    );
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
    const { manifest } = golden.convert('head', { ...inside, headSteps, force: true });
    expect(manifest).toMatchObject({ head });
    const card = readFileSync(join(golden.outFolder('head'), 'README.md'), 'utf8');
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
      const { manifest } = golden.convert(`chat-${chat_template !== undefined}`, { tokenizer });
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
    const card = join(golden.folder, 'card.md');
    writeFileSync(card, '# Stories\n\nTrained on stories.\n');
    golden.convert('carded', { card });
    rmSync(card);
    const text = readFileSync(join(golden.outFolder('carded'), 'README.md'), 'utf8');
    expect(text.startsWith('# Stories\n\nTrained on stories.\n\n## Package')).toBe(true);
  });

  test('is replaced only when that is wanted', () => {
    golden.convert('twice');
    const { message, code } = golden.failure({ out: golden.outFolder('twice') });
    expect(code).toBe('bad_usage');
    expect(message).toContain('--force');
    writeFileSync(join(golden.outFolder('twice'), 'stray'), '');
    golden.convert('twice', { force: true });
    expect(existsSync(join(golden.outFolder('twice'), 'stray'))).toBe(false);
    expect(readdirSync(golden.folder).filter(name => name.startsWith('.'))).toEqual([]);
  });

  test('reports its progress up to the last value', () => {
    let last = { doneElements: 0, totalElements: -1 };
    convertCheckpoint(
      { checkpoint, autoencoder, out: golden.outFolder('progress'), weights: 'int8' },
      progress => {
        expect(progress.doneElements).toBeGreaterThanOrEqual(last.doneElements);
        last = progress;
      },
    );
    expect(last.doneElements).toBe(last.totalElements);
  });
});
