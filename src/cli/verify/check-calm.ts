/** Every graph of a CALM package against recorded outputs, each fed with recorded inputs, and whole texts. */
import type { CalmManifest } from '../../runtime/manifest.js';
import { type Check, checkFloats, checkIds, type Tolerances, tolerancesOf } from './check.js';
import type { CalmGolden } from './golden.js';
import type { GraphRunner } from './graph-runner.js';
import { rollOut } from './rollout.js';

/** Runs all checks, in the order in which data flows through the model. */
export async function checkCalm(
  runner: GraphRunner,
  manifest: CalmManifest,
  golden: CalmGolden,
): Promise<Check[]> {
  const tolerances = tolerancesOf(manifest);
  const noise = positionNoise(manifest, golden);
  return [
    await checkBackbone(runner, manifest, golden, tolerances),
    ...(await checkParts(runner, manifest, golden, noise, tolerances)),
    ...(await checkStep(runner, manifest, golden, noise, tolerances)),
    ...(await checkRollouts(runner, manifest, golden, noise, tolerances)),
  ];
}

interface Sizes {
  readonly rows: number;
  readonly chunks: number;
  /** Rows times chunks. */
  readonly positions: number;
  readonly chunkSize: number;
  readonly hidden: number;
}

function sizesOf(manifest: CalmManifest, golden: CalmGolden): Sizes {
  const [rows = 0, chunks = 0, hidden = 0] = golden.hidden.shape;
  return { rows, chunks, positions: rows * chunks, chunkSize: manifest.chunk_size, hidden };
}

function rowIds(golden: CalmGolden, sizes: Sizes, row: number): readonly number[] {
  const length = sizes.chunks * sizes.chunkSize;
  return golden.inputIds.ids.slice(row * length, (row + 1) * length);
}

/**
 * What each recorded position gives the graphs: [B * S, noise size]. A diffusion's recording also has noise for the
 * last step, which adds none.
 */
function positionNoise({ head }: CalmManifest, { noise }: CalmGolden): Float32Array {
  const [rows = 0, chunks = 0] = noise.shape;
  const recorded = noise.values.length / (rows * chunks);
  const wanted = new Float32Array(rows * chunks * head.noise_size);
  for (let position = 0; position < rows * chunks; position += 1) {
    const from = position * recorded;
    wanted.set(noise.values.subarray(from, from + head.noise_size), position * head.noise_size);
  }
  return wanted;
}

/** All chunks of a row in one call. */
async function checkBackbone(
  runner: GraphRunner,
  manifest: CalmManifest,
  golden: CalmGolden,
  tolerances: Tolerances,
): Promise<Check> {
  const sizes = sizesOf(manifest, golden);
  const hidden: number[] = [];
  for (let row = 0; row < sizes.rows; row += 1) {
    const outputs = await runner.run('backbone', {
      cache: { firstRow: row, ids: [rowIds(golden, sizes, row)], lengths: [sizes.chunks] },
      outputs: { hidden: [1, sizes.chunks, sizes.hidden] },
    });
    hidden.push(...outputs.hidden!);
  }
  return checkFloats('backbone: hidden', hidden, golden.hidden.values, tolerances.floats);
}

/** Head, decoder, both in one, and encoder, without a cache. */
async function checkParts(
  runner: GraphRunner,
  manifest: CalmManifest,
  golden: CalmGolden,
  noise: Float32Array,
  tolerances: Tolerances,
): Promise<Check[]> {
  const { positions, chunkSize, hidden } = sizesOf(manifest, golden);
  const { noise_size, latent_size } = manifest.head;
  const drawFeeds = {
    hidden: { shape: [positions, hidden], values: golden.hidden.values },
    row: { shape: [positions], values: Array.from({ length: positions }, (_, index) => index) },
    noise: { shape: [positions, noise_size], values: noise },
  };
  const head = await runner.run('head', { feeds: drawFeeds, outputs: { latent: [positions, latent_size] } });
  const decoder = await runner.run('decoder', {
    feeds: { latent: { shape: [positions, latent_size], values: golden.latent.values } },
    outputs: { logits: [positions, chunkSize, manifest.vocab_size], tokens: [positions, chunkSize] },
  });
  const draw = await runner.run('draw', { feeds: drawFeeds, outputs: { tokens: [positions, chunkSize] } });
  const encoder = await runner.run('encoder', {
    feeds: { input_ids: { shape: [positions, chunkSize], values: golden.inputIds.ids } },
    outputs: { mean: [positions, latent_size], log_std: [positions, latent_size] },
  });
  return [
    checkFloats('head: latent', head.latent!, golden.latent.values, tolerances.floats),
    checkFloats('decoder: logits', decoder.logits!, golden.logits.values, tolerances.floats),
    checkIds('decoder: tokens', [...decoder.tokens!], golden.tokens.ids, tolerances.tokens),
    checkIds('draw: tokens', [...draw.tokens!], golden.tokens.ids, tolerances.tokens),
    checkFloats('encoder: mean', encoder.mean!, golden.mean.values, tolerances.floats),
    checkFloats('encoder: log_std', encoder.log_std!, golden.logStd.values, tolerances.floats),
  ];
}

/** The fused step, chunk by chunk over the cache, all rows in one batch. */
async function checkStep(
  runner: GraphRunner,
  manifest: CalmManifest,
  golden: CalmGolden,
  noise: Float32Array,
  tolerances: Tolerances,
): Promise<Check[]> {
  const sizes = sizesOf(manifest, golden);
  const { rows, chunks, chunkSize } = sizes;
  const noiseSize = manifest.head.noise_size;
  const hidden = new Float32Array(golden.hidden.values.length);
  const tokens = new Array<number>(golden.tokens.ids.length).fill(-1);
  const allIds = Array.from({ length: rows }, (_, row) => rowIds(golden, sizes, row));
  for (let chunk = 0; chunk < chunks; chunk += 1) {
    const rowNoise = allIds.flatMap((_, row) => {
      const from = (row * chunks + chunk) * noiseSize;
      return [...noise.subarray(from, from + noiseSize)];
    });
    const outputs = await runner.run('step', {
      feeds: { noise: { shape: [rows, noiseSize], values: rowNoise } },
      cache: {
        firstRow: 0,
        ids: allIds.map(ids => ids.slice(chunk * chunkSize, (chunk + 1) * chunkSize)),
        lengths: allIds.map(() => chunk + 1),
      },
      outputs: { hidden: [rows, sizes.hidden], tokens: [rows, chunkSize] },
    });
    for (let row = 0; row < rows; row += 1) {
      const position = row * chunks + chunk;
      hidden.set(
        outputs.hidden!.subarray(row * sizes.hidden, (row + 1) * sizes.hidden),
        position * sizes.hidden,
      );
      for (let index = 0; index < chunkSize; index += 1) {
        tokens[position * chunkSize + index] = outputs.tokens![row * chunkSize + index]!;
      }
    }
  }
  return [
    checkFloats('step: hidden over the cache', hidden, golden.hidden.values, tolerances.floats),
    checkIds('step: tokens over the cache', tokens, golden.tokens.ids, tolerances.tokens),
  ];
}

/**
 * The text that the reference generated, by the fused graphs and by the split ones. Where none was recorded, the two
 * still must agree on one: behind the first recorded chunk, with the noise of the first row.
 */
async function checkRollouts(
  runner: GraphRunner,
  manifest: CalmManifest,
  { rollout, inputIds, hidden }: CalmGolden,
  noise: Float32Array,
  tolerances: Tolerances,
): Promise<Check[]> {
  const firstRow = (hidden.shape[1] ?? 0) * manifest.head.noise_size;
  const start =
    rollout === null
      ? { prompt: inputIds.ids.slice(0, manifest.chunk_size), noise: noise.subarray(0, firstRow) }
      : { prompt: rollout.prompt.ids, noise: rollout.noise.values };
  const fused = await rollOut(runner, manifest, start, 'fused');
  const split = await rollOut(runner, manifest, start, 'split');
  const recorded = rollout?.tokens.ids;
  return [
    ...(recorded !== undefined && tolerances.isRolloutExact
      ? [
          checkIds('rollout: fused graphs', fused, recorded, 0),
          checkIds('rollout: split graphs', split, recorded, 0),
        ]
      : []),
    ...(tolerances.isFusionExact ? [checkIds('rollout: split graphs against fused', split, fused, 0)] : []),
  ];
}
