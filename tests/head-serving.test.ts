/** Flow and diffusion heads behind the engine: noise by the request's seed, and the same text in any company. */
import { afterAll, describe, expect, test } from 'vitest';
import { Engine } from '../src/runtime/engine.js';
import { loadModel } from '../src/runtime/load-model.js';
import { openPackage } from '../src/runtime/open-package.js';
import { OrtEnvironment } from '../src/runtime/ort/environment.js';
import { OrtLibrary } from '../src/runtime/ort/library.js';
import type { GenerationRequest } from '../src/runtime/request.js';
import { fillNormalNoise } from '../src/sampler/normal.js';
import { GoldenPackages } from './golden-package.js';
import { CachedRow, float32, numbers, PackageRunner } from './reference/package-runner.js';

const packages = new GoldenPackages();
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 1 });
afterAll(() => {
  environment.close();
  packages.remove();
});

const chunks = 5;

function requestOf(seed: number, temperature: number, bosTokenId: number): GenerationRequest {
  return {
    promptTokens: [bosTokenId, 7 + seed, 11, 13 * seed],
    maxTokens: 4 * chunks,
    minTokens: 0,
    stopTokenIds: [],
    sampling: { temperature, numCandidates: 8, seed, choice: 0 },
  };
}

async function generate(engine: Engine, request: GenerationRequest): Promise<number[]> {
  const tokens: number[] = [];
  for await (const event of engine.submit(request)) tokens.push(...event.tokens);
  return tokens;
}

describe.each(['flow-k4', 'diffusion-k4'] as const)('%s', name => {
  const open = (weights: 'fp32' | 'int8' | 'int4') => openPackage(packages.convert(name, weights));

  test('a text at temperature 1 is what its noise gives, step by step', async () => {
    const source = open('fp32');
    const { manifest } = source;
    if (manifest.kind !== 'calm') throw new Error('expected a CALM');
    const request = requestOf(5, 1, manifest.bos_token_id);
    const { model } = loadModel(environment, source, { slots: 1, device: 'cpu' });
    const engine = new Engine(model, { bosTokenId: manifest.bos_token_id });
    const text = await generate(engine, request);
    await engine.close();

    const row = new CachedRow(new PackageRunner(source.directory));
    const size = manifest.head.noise_size;
    const expected: number[] = [];
    let chunk: readonly number[] = request.promptTokens;
    for (let step = 0; step < chunks; step++) {
      const noise = new Float32Array(size);
      fillNormalNoise(noise, 0, size, { seed: 5, choice: 0, step, candidate: 0 });
      chunk = numbers((await row.feed('step', chunk, { noise: float32(noise, [1, size]) })).tokens);
      expected.push(...chunk);
    }
    expect(text).toEqual(expected);
    expect(new Set(text).size).toBeGreaterThan(chunks);
  });

  test.each(['fp32', 'int8', 'int4'] as const)(
    'in %s a request gets its text in any company',
    async weights => {
      const source = open(weights);
      const { bos_token_id: bosTokenId } = source.manifest;
      const requests = [1, 0.5, 1, 0, 0.5, 1].map((temperature, seed) =>
        requestOf(seed, temperature, bosTokenId),
      );
      const engineOf = (slots: number) =>
        new Engine(loadModel(environment, source, { slots, device: 'cpu' }).model, { bosTokenId });
      const alone = engineOf(1);
      const expected: number[][] = [];
      for (const request of requests) expected.push(await generate(alone, request));
      await alone.close();
      const shared = engineOf(4);
      expect(await Promise.all(requests.map(request => generate(shared, request)))).toEqual(expected);
      expect(shared.stats().largestBatch).toBeGreaterThan(2);
      await shared.close();
    },
  );
});
