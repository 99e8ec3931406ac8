import { afterAll, describe, expect, it } from 'vitest';
import { GoldenPackages } from '../../../tests/golden-package.js';
import { GoldenFile } from '../../../tests/reference/golden-file.js';
import { relativeError } from '../../../tests/reference/relative-error.js';
import type { GraphName } from '../manifest.js';
import { openPackage } from '../open-package.js';
import { OrtEnvironment } from './environment.js';
import { OrtLibrary } from './library.js';
import { openGraph, type PlainTensor } from './open-graph.js';

const packages = new GoldenPackages();
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 1 });
const golden = new GoldenFile('energy-k4');
afterAll(() => {
  golden.close();
  environment.close();
  packages.remove();
});

const [rows = 0, chunks = 0, width = 0] = golden.shape('hidden');
const ids: PlainTensor = {
  shape: golden.shape('input_ids'),
  data: BigInt64Array.from(golden.ids('input_ids'), BigInt),
};

async function run(
  directory: string,
  name: GraphName,
  inputs: Record<string, PlainTensor>,
  outputs?: string[],
) {
  const graph = openGraph(environment, openPackage(directory), name);
  try {
    return await graph.run(inputs, outputs);
  } finally {
    graph.close();
  }
}

describe.each([
  ['fp32', 1e-4],
  ['fp16', 2e-2],
] as const)('a %s package', (weights, tolerance) => {
  const directory = packages.convert('energy-k4', weights);

  it('runs the backbone on an empty cache, and the head on its hidden states', async () => {
    const { outputs } = await run(directory, 'backbone', { input_ids: ids });
    expect(Object.keys(outputs)).toEqual(['hidden']);
    const { hidden } = outputs;
    expect(hidden?.shape).toEqual([rows, chunks, width]);
    expect(relativeError(hidden?.data as Float32Array, golden.floats('hidden')).largest).toBeLessThan(
      tolerance,
    );
    const count = rows * chunks;
    const head = await run(directory, 'head', {
      hidden: { shape: [count, width], data: hidden?.data as Float32Array },
      row: { shape: [count], data: BigInt64Array.from({ length: count }, (_, i) => BigInt(i)) },
      noise: { shape: [count, golden.shape('noise').at(-1) as number], data: golden.floats('noise') },
    });
    const latent = head.outputs.latent?.data as Float32Array;
    expect(relativeError(latent, golden.floats('latent')).largest).toBeLessThan(tolerance);
    expect(head.runMs).toBeGreaterThan(0);
  });
});

describe('run', () => {
  const directory = packages.convert('energy-k4', 'fp32');

  it('gives back the outputs that are named, in their own types', async () => {
    const latent = {
      shape: [rows * chunks, golden.shape('latent').at(-1) as number],
      data: golden.floats('latent'),
    };
    const { outputs } = await run(directory, 'decoder', { latent }, ['tokens']);
    expect(Object.keys(outputs)).toEqual(['tokens']);
    expect(Array.from(outputs.tokens?.data as BigInt64Array, Number)).toEqual(golden.ids('tokens'));
  });

  it('names an input that is missing or of another size than its shape', async () => {
    await expect(run(directory, 'decoder', {})).rejects.toThrow(
      /The input latent of .*decoder\.onnx is missing/,
    );
    const wrong = { latent: { shape: [2, 16], data: new Float32Array(16) } };
    await expect(run(directory, 'decoder', wrong)).rejects.toThrow('has 16 elements for the shape [2,16]');
  });
});
