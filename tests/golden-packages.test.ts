/** Converted golden checkpoints compute what PyTorch recorded, in every weight type. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type ConvertOptions, convertCheckpoint } from '../src/convert/convert.js';
import { calmErrors, prefill, rollout } from './reference/golden-checks.js';
import { GoldenFile, goldenFolder } from './reference/golden-file.js';
import { CachedRow, float32, int64, numbers, PackageRunner } from './reference/package-runner.js';
import { relativeError } from './reference/relative-error.js';

const folder = mkdtempSync(join(tmpdir(), 'calm-golden-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Form = Pick<ConvertOptions, 'weights' | 'activations'>;

function convert(name: string, form: Form): PackageRunner {
  const out = join(folder, `${name}-${form.weights}-${form.activations ?? 'plain'}`);
  const autoencoder = name.startsWith('llama') ? undefined : goldenFolder(name, 'autoencoder');
  convertCheckpoint({ ...form, checkpoint: goldenFolder(name, 'checkpoint'), autoencoder, out });
  return new PackageRunner(out);
}

const calmCases = ['energy-k4', 'energy-k2-bin-bf16', 'flow-k4', 'diffusion-k4'] as const;

describe.each(calmCases)('%s', name => {
  const golden = new GoldenFile(name);

  test('float32 agrees to 1e-4', async () => {
    const errors = await calmErrors(convert(name, { weights: 'fp32' }), golden);
    for (const { largest } of Object.values(errors)) expect(largest).toBeLessThan(1e-4);
  });

  test.runIf(name.startsWith('energy'))(
    'the rollout is exact through the fused graph and through its parts',
    async () => {
      const runner = new PackageRunner(join(folder, `${name}-fp32-plain`));
      expect(await rollout(runner, golden, 'step')).toEqual(golden.ids('rollout_tokens'));
      expect(await rollout(runner, golden, 'parts')).toEqual(golden.ids('rollout_tokens'));
    },
  );

  test('float16 agrees to 2e-2 and draws the same tokens', async () => {
    const runner = convert(name, { weights: 'fp16' });
    const errors = await calmErrors(runner, golden);
    for (const { largest } of Object.values(errors)) expect(largest).toBeLessThan(2e-2);
    if (name.startsWith('energy'))
      expect(await rollout(runner, golden, 'step')).toEqual(golden.ids('rollout_tokens'));
  });

  // Random weights are the worst case for quantization: nothing in them is redundant.
  test.each<[string, Form, number]>([
    ['int8', { weights: 'int8' }, 0.04],
    ['int8 under float16', { weights: 'int8', activations: 'fp16' }, 0.04],
    ['int4', { weights: 'int4' }, 0.4],
    ['int4 under float16', { weights: 'int4', activations: 'fp16' }, 0.4],
  ])('%s stays near', async (_, form, tolerance) => {
    const errors = await calmErrors(convert(name, form), golden);
    // Upstream's schedule multiplies the first of the hundred steps' answers by a hundred and more.
    const bound = name === 'diffusion-k4' && form.weights === 'int8' ? 0.1 : tolerance;
    const rounded = Object.entries(errors).map(([tensor, { rootMeanSquare }]) => [
      tensor,
      rootMeanSquare.toFixed(4),
    ]);
    console.info(name, form, Object.fromEntries(rounded));
    for (const { rootMeanSquare } of Object.values(errors)) expect(rootMeanSquare).toBeLessThan(bound);
  });
});

const headCases = ['energy-k4', 'flow-k4', 'diffusion-k4'] as const;

test.each(headCases)('%s: one hidden state serves many candidates as it serves one', async name => {
  const golden = new GoldenFile(name);
  const runner = convert(name, { weights: 'fp32', activations: 'fp32' });
  if (runner.manifest.kind !== 'calm') throw new Error('expected a CALM');
  const count = 7;
  const size = runner.manifest.backbone.hidden_size;
  const rows = [1, 0, 0, 1, 1, 0, 1];
  const noiseSize = runner.manifest.head.noise_size;
  const noise = golden.floats('noise').subarray(0, count * noiseSize);
  const noiseTensor = float32(noise, [count, noiseSize]);
  const pair = golden.floats('hidden').subarray(0, 2 * size);
  const copies = rows.flatMap(row => [...pair.subarray(row * size, (row + 1) * size)]);
  const shared = await runner.run('head', {
    hidden: float32(pair, [2, size]),
    row: int64(rows, [count]),
    noise: noiseTensor,
  });
  const apart = await runner.run('head', {
    hidden: float32(copies, [count, size]),
    row: int64([...rows.keys()], [count]),
    noise: noiseTensor,
  });
  expect(relativeError(numbers(shared.latent), numbers(apart.latent)).largest).toBeLessThan(1e-5);
});

describe('llama-tied-gqa', () => {
  const golden = new GoldenFile('llama-tied-gqa');

  async function logitsError(runner: PackageRunner) {
    const { hidden } = await prefill(runner, golden);
    const size = runner.manifest.backbone.hidden_size;
    const rows = numbers(hidden);
    const { logits } = await runner.run('lm_head', {
      hidden: runner.activations(rows, [rows.length / size, size]),
    });
    return relativeError(numbers(logits), golden.floats('logits'));
  }

  test.each<[string, Form, number]>([
    ['float32', { weights: 'fp32' }, 1e-4],
    ['float16', { weights: 'fp16' }, 2e-2],
  ])('%s agrees', async (_, form, tolerance) => {
    expect((await logitsError(convert('llama-tied-gqa', form))).largest).toBeLessThan(tolerance);
  });

  test.each<[string, Form, number]>([
    ['int8', { weights: 'int8' }, 0.04],
    ['int4', { weights: 'int4' }, 0.4],
  ])('%s stays near', async (_, form, tolerance) => {
    const error = await logitsError(convert('llama-tied-gqa', form));
    console.info('llama-tied-gqa', form, error.rootMeanSquare.toFixed(4));
    expect(error.rootMeanSquare).toBeLessThan(tolerance);
  });

  test('step by step with the cache, the same logits, and the token where the cumulative sum passes the draw', async () => {
    const runner = convert('llama-tied-gqa', { weights: 'fp32', activations: 'fp32' });
    const row = new CachedRow(runner);
    const vocabSize = runner.manifest.vocab_size;
    const length = golden.shape('input_ids')[1]!;
    const ids = golden.ids('input_ids').slice(0, length);
    for (const [position, id] of ids.entries()) {
      const inverseTemperature = [1, 2, 1e6][position % 3]!;
      const uniform = Math.fround((position * 0.37) % 1);
      const { tokens, logits } = await row.feed('step', [id], {
        inverse_temperature: float32([inverseTemperature], [1, 1]),
        uniform: float32([uniform], [1, 1]),
      });
      const expected = golden.floats('logits').subarray(position * vocabSize, (position + 1) * vocabSize);
      expect(relativeError(numbers(logits), expected).largest).toBeLessThan(1e-4);
      expect(numbers(tokens)).toEqual([draw(expected, inverseTemperature, uniform)]);
    }
  });
});

function draw(logits: Float32Array, inverseTemperature: number, uniform: number): number {
  const largest = Math.max(...logits);
  const weights = Array.from(logits, logit => Math.exp((logit - largest) * inverseTemperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let cumulative = 0;
  return weights.findIndex(weight => {
    cumulative += weight / total;
    return cumulative > uniform;
  });
}
