/** A whole text from given noise, one draw a chunk, the way the server generates: prefill, then step by step. */
import type { CalmManifest } from '../../runtime/manifest.js';
import type { GraphRunner } from './graph-runner.js';

/** Which graphs generate: the fused step, or backbone, head and decoder apart. */
export type RolloutPath = 'fused' | 'split';

/** Where a text begins, and the noise of its chunks. */
export interface RolloutStart {
  /** Whole chunks, at least one. */
  readonly prompt: readonly number[];
  /** What each chunk takes, one after the other. */
  readonly noise: Float32Array;
}

/** The generated token ids. */
export async function rollOut(
  runner: GraphRunner,
  manifest: CalmManifest,
  { prompt, noise: allNoise }: RolloutStart,
  path: RolloutPath,
): Promise<number[]> {
  const chunkSize = manifest.chunk_size;
  const noiseSize = manifest.head.noise_size;
  const prefilled = prompt.slice(0, -chunkSize);
  if (prefilled.length > 0) {
    await runner.run('backbone', {
      cache: { firstRow: 0, ids: [prefilled], lengths: [prefilled.length / chunkSize] },
      outputs: {},
    });
  }
  const generated: number[] = [];
  let chunk: readonly number[] = prompt.slice(-chunkSize);
  for (let step = 0; step < allNoise.length / noiseSize; step += 1) {
    const position = prefilled.length / chunkSize + step;
    const noise = allNoise.subarray(step * noiseSize, (step + 1) * noiseSize);
    chunk = await nextChunk(runner, manifest, { path, chunk, position, noise });
    generated.push(...chunk);
  }
  return generated;
}

interface NextChunk {
  readonly path: RolloutPath;
  readonly chunk: readonly number[];
  readonly position: number;
  readonly noise: Float32Array;
}

async function nextChunk(runner: GraphRunner, manifest: CalmManifest, given: NextChunk): Promise<number[]> {
  const { chunk_size: chunkSize, head, backbone } = manifest;
  const cache = { firstRow: 0, ids: [given.chunk], lengths: [given.position + 1] };
  const noise = { shape: [1, head.noise_size], values: given.noise };
  if (given.path === 'fused') {
    const { tokens } = await runner.run('step', {
      cache,
      feeds: { noise },
      outputs: { tokens: [1, chunkSize] },
    });
    return [...tokens!];
  }
  const { hidden } = await runner.run('backbone', {
    cache,
    outputs: { hidden: [1, 1, backbone.hidden_size] },
  });
  const { latent } = await runner.run('head', {
    feeds: {
      hidden: { shape: [1, backbone.hidden_size], values: hidden! },
      row: { shape: [1], values: [0] },
      noise,
    },
    outputs: { latent: [1, head.latent_size] },
  });
  const { tokens } = await runner.run('decoder', {
    feeds: { latent: { shape: [1, head.latent_size], values: latent! } },
    outputs: { tokens: [1, chunkSize] },
  });
  return [...tokens!];
}
