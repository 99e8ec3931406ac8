/** The packages in models/: each is the model that PyTorch trained, and they stay small enough to clone. */
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { defaultModels } from '../src/cli/default-models.js';
import { readGolden } from '../src/cli/verify/golden.js';
import { verifyPackage } from '../src/cli/verify/verify-package.js';
import { listPackages, openPackage } from '../src/runtime/open-package.js';
import { OrtEnvironment } from '../src/runtime/ort/environment.js';
import { OrtLibrary } from '../src/runtime/ort/library.js';

const folder = resolve(import.meta.dirname, '../models');
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 1 });

afterAll(() => environment.close());

describe.each(listPackages(folder))('%s', name => {
  it('agrees with what PyTorch recorded, within the tolerance of its weights', async () => {
    const source = openPackage(join(folder, name));
    const golden = readGolden(join(folder, name, 'golden.safetensors'));
    const checks = await verifyPackage(environment, source, golden, 'cpu');
    expect(checks.filter(check => !check.ok)).toEqual([]);
  });

  it('says what its training cost and has a tokenizer', () => {
    const { manifest } = openPackage(join(folder, name));
    expect(manifest.training_flops).toBeGreaterThan(0);
    expect(manifest.tokenizer).not.toBeNull();
    expect(manifest.name).toBe(name);
  });
});

it('serves only packages that are there', () => {
  expect(listPackages(folder)).toEqual(expect.arrayContaining([...defaultModels(folder)]));
});

it('all of models/ is under 40 MB', () => {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile());
  const bytes = files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
  expect(bytes).toBeLessThan(40e6);
});
