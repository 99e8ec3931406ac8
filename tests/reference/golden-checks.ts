/** A package's graphs against what PyTorch recorded, graph by graph and in a rollout over the cache. */
import type { GoldenFile } from './golden-file.js';
import { CachedRow, float32, int32, int64, numbers, type PackageRunner } from './package-runner.js';
import { type RelativeError, relativeError } from './relative-error.js';

/** Each recorded tensor's error through the package's graphs, each graph fed with recorded or upstream values. */
export async function calmErrors(
  runner: PackageRunner,
  golden: GoldenFile,
): Promise<Record<'hidden' | 'latent' | 'logits' | 'ae_mean' | 'ae_log_std', RelativeError>> {
  const { chunk_size: chunkSize, backbone } = runner.manifest;
  const [rows = 0, length = 0] = golden.shape('input_ids');
  const hidden = numbers((await prefill(runner, golden)).hidden);
  const count = (rows * length) / chunkSize;
  const { latent } = await runner.run('head', {
    hidden: runner.activations(hidden, [count, backbone.hidden_size]),
    row: int64([...Array(count).keys()], [count]),
    noise: float32(noiseOf(runner, golden, count), [count, noiseSize(runner)]),
  });
  const { logits } = await runner.run('decoder', { latent: latent! });
  const encoded = await runner.run('encoder', {
    input_ids: int64(golden.ids('input_ids'), [count, chunkSize]),
  });
  return {
    hidden: relativeError(hidden, golden.floats('hidden')),
    latent: relativeError(numbers(latent), golden.floats('latent')),
    logits: relativeError(numbers(logits), golden.floats('logits')),
    ae_mean: relativeError(numbers(encoded.mean), golden.floats('ae_mean')),
    ae_log_std: relativeError(numbers(encoded.log_std), golden.floats('ae_log_std')),
  };
}

function noiseSize({ manifest }: PackageRunner): number {
  if (manifest.kind !== 'calm') throw new Error('only a CALM takes noise');
  return manifest.head.noise_size;
}

/** Of each recorded position as many numbers as the graphs take; a diffusion's last step adds none. */
function noiseOf(runner: PackageRunner, golden: GoldenFile, count: number): number[] {
  const size = noiseSize(runner);
  return Array.from({ length: count }, (_, position) => [...golden.noise(position).subarray(0, size)]).flat();
}

/** The backbone on all rows at once, without history. */
export function prefill(runner: PackageRunner, golden: GoldenFile) {
  const [rows = 0, length = 0] = golden.shape('input_ids');
  const chunks = length / runner.manifest.chunk_size;
  return runner.run('backbone', {
    input_ids: int64(golden.ids('input_ids'), [rows, length]),
    seqlens_k: int32(Array(rows).fill(chunks - 1), [rows]),
    total_sequence_length: int32([chunks], []),
    ...runner.emptyCache(rows),
  });
}

/** Tokens of the recorded rollout, one draw a step, through the fused graph or through its parts. */
export async function rollout(
  runner: PackageRunner,
  golden: GoldenFile,
  graphs: 'step' | 'parts',
): Promise<number[]> {
  const { chunk_size: chunkSize, backbone } = runner.manifest;
  const prompt = golden.ids('rollout_prompt');
  const row = new CachedRow(runner);
  await row.feed('backbone', prompt.slice(0, -chunkSize));
  let chunk = prompt.slice(-chunkSize);
  const tokens: number[] = [];
  const steps = golden.shape('rollout_noise')[1]!;
  for (let step = 0; step < steps; step++) {
    const values = golden.row('rollout_noise', step);
    const noise = float32(values, [1, values.length]);
    if (graphs === 'step') {
      chunk = numbers((await row.feed('step', chunk, { noise })).tokens);
    } else {
      const { hidden } = await row.feed('backbone', chunk);
      const inputs = {
        hidden: runner.activations(numbers(hidden), [1, backbone.hidden_size]),
        row: int64([0], [1]),
        noise,
      };
      chunk = numbers((await runner.run('draw', inputs)).tokens);
    }
    tokens.push(...chunk);
  }
  return tokens;
}
