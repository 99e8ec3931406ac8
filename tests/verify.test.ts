/** Golden parity: checkpoints converted by this project against what the official PyTorch code computed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Check } from '../src/cli/verify/check.js';
import { type Golden, readGolden } from '../src/cli/verify/golden.js';
import { verifyPackage } from '../src/cli/verify/verify-package.js';
import { convertCheckpoint } from '../src/convert/convert.js';
import { openPackage } from '../src/runtime/open-package.js';
import { OrtEnvironment } from '../src/runtime/ort/environment.js';
import { OrtLibrary } from '../src/runtime/ort/library.js';

type Weights = 'fp32' | 'int8' | 'int4' | 'fp16';

const cases = ['energy-k4', 'energy-k2-bin-bf16', 'flow-k4', 'diffusion-k4', 'llama-tied-gqa'] as const;
/** Nothing is generated from flow and diffusion recordings; the two ways must agree all the same. */
const checkCounts: Record<(typeof cases)[number], number> = {
  'energy-k4': 12,
  'energy-k2-bin-bf16': 12,
  'flow-k4': 10,
  'diffusion-k4': 10,
  'llama-tied-gqa': 2,
};
const goldenFolder = join(import.meta.dirname, 'golden');
const scratch = mkdtempSync(join(tmpdir(), 'calm-verify-'));
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 1 });

afterAll(() => {
  environment.close();
  rmSync(scratch, { recursive: true });
});

function convert(name: (typeof cases)[number], weights: Weights, activations?: 'fp16'): string {
  const out = join(scratch, `${name}-${weights}-${activations ?? 'own'}`);
  const autoencoder =
    name === 'llama-tied-gqa' ? {} : { autoencoder: join(goldenFolder, name, 'autoencoder') };
  convertCheckpoint({
    checkpoint: join(goldenFolder, name, 'checkpoint'),
    out,
    weights,
    force: true,
    ...autoencoder,
    ...(activations && { activations }),
  });
  return out;
}

function goldenOf(name: (typeof cases)[number]): Golden {
  return readGolden(join(goldenFolder, name, 'golden.safetensors'));
}

async function verify(
  name: (typeof cases)[number],
  weights: Weights,
  activations?: 'fp16',
): Promise<Check[]> {
  return verifyPackage(environment, openPackage(convert(name, weights, activations)), goldenOf(name), 'cpu');
}

const failed = (checks: readonly Check[]): Check[] => checks.filter(check => !check.ok);

describe.each(cases)('%s', name => {
  it('agrees with PyTorch in fp32, tokens and rollouts exactly', async () => {
    const checks = await verify(name, 'fp32');
    expect(checks.length).toBe(checkCounts[name]);
    expect(failed(checks)).toEqual([]);
    for (const check of checks) {
      expect(check.tolerance).toBe(/tokens|rollout/.test(check.name) ? 0 : 1e-4);
    }
  });

  it.each([
    ['fp16', undefined],
    ['int8', undefined],
    ['int4', undefined],
    ['int8', 'fp16'],
  ] as const)('stays near PyTorch with %s weights and %s activations', async (weights, activations) => {
    const checks = await verify(name, weights, activations);
    const worst = checks.filter(check => !/tokens|rollout/.test(check.name));
    console.log(
      `${name} ${weights}/${activations ?? 'own'}: ${worst.map(check => `${check.name} ${check.error.toExponential(1)}`).join(', ')}`,
    );
    expect(failed(checks)).toEqual([]);
  });
});

describe('a verification that should fail', () => {
  it('sees one changed weight', async () => {
    const golden = goldenOf('energy-k4');
    if (golden.kind !== 'calm') throw new Error('expected a CALM');
    const hidden = Float32Array.from(golden.hidden.values);
    hidden[7]! += 0.01;
    const changed = { ...golden, hidden: { ...golden.hidden, values: hidden } };
    const checks = await verifyPackage(
      environment,
      openPackage(convert('energy-k4', 'fp32')),
      changed,
      'cpu',
    );
    expect(failed(checks).map(check => check.name)).toEqual([
      'backbone: hidden',
      'head: latent',
      'step: hidden over the cache',
    ]);
  });

  it.each([
    ['flow-k4', 'head.modulation.weight'],
    ['diffusion-k4', 'head.times'],
  ] as const)('sees a damaged head: %s', async (name, tensor) => {
    const folder = convert(name, 'fp32');
    const source = openPackage(folder);
    const { offset } = source.manifest.weights.tensors[tensor]!;
    const file = join(folder, source.manifest.weights.file);
    const bytes = readFileSync(file);
    // The first time and the first block's shift: a quarter more is far above rounding.
    for (let i = 0; i < 64; i++) bytes.writeFloatLE(1.25 * bytes.readFloatLE(offset + 4 * i), offset + 4 * i);
    writeFileSync(file, bytes);
    const checks = await verifyPackage(environment, source, goldenOf(name), 'cpu');
    expect(failed(checks).map(check => check.name)).toContain('head: latent');
  });

  it('refuses a package whose head takes other steps than the recording', async () => {
    const out = join(scratch, 'flow-4');
    const [checkpoint, autoencoder] = ['checkpoint', 'autoencoder'].map(part =>
      join(goldenFolder, 'flow-k4', part),
    );
    convertCheckpoint({ checkpoint: checkpoint!, autoencoder, out, weights: 'fp32', headSteps: 4 });
    await expect(verifyPackage(environment, openPackage(out), goldenOf('flow-k4'), 'cpu')).rejects.toThrow(
      'was recorded with 10 steps of the flow head, and the package flow-4 takes 4; convert it with --head-steps 10.',
    );
  });

  it('refuses a golden file of another model with a sentence', async () => {
    const source = openPackage(convert('energy-k4', 'fp32'));
    await expect(verifyPackage(environment, source, goldenOf('energy-k2-bin-bf16'), 'cpu')).rejects.toThrow(
      'The golden tensor hidden has a last axis of 96, but the package has 64: it was recorded from another model.',
    );
    await expect(verifyPackage(environment, source, goldenOf('llama-tied-gqa'), 'cpu')).rejects.toThrow(
      'is of kind "calm", but the golden file was recorded from kind "token"',
    );
  });
});
