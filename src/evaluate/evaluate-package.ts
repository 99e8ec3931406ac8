/** Evaluates a model package on text. */
import type { Manifest } from '../runtime/manifest.js';
import type { ModelPackage } from '../runtime/open-package.js';
import type { OrtEnvironment } from '../runtime/ort/environment.js';
import type { Device } from '../runtime/ort/memory.js';
import { PackageSessions } from '../runtime/ort/package-sessions.js';
import { evaluationCacheSize } from './block-cache.js';
import type { BlockModel } from './block-model.js';
import {
  type Block,
  type BlockLayout,
  cutDocuments,
  cutStream,
  type LayoutModel,
  requirePositions,
  settleLayout,
} from './blocks.js';
import { BrierTotals } from './brier-summary.js';
import { CalmBlockModel } from './calm-block-model.js';
import type { Evaluation, EvaluationOptions } from './evaluation.js';
import { flopsPerToken, flopsPerTokenByPart } from './flops.js';
import { shapeOfManifest } from './model-shape.js';
import { randomChunks, reconstruct } from './reconstruction.js';
import { scoreBlocks } from './score-blocks.js';
import { TokenBlockModel } from './token-block-model.js';

/** What a layout needs to know of a package. */
export function layoutModelOf({ chunk_size, bos_token_id, backbone }: Manifest): LayoutModel {
  return {
    chunkSize: chunk_size,
    bosTokenId: bos_token_id,
    contextTokens: backbone.max_positions * chunk_size,
  };
}

/**
 * Scores a package on documents of token ids.
 * @throws CalmError bad_usage for options that do not fit the model and for text that is too short, bad_package, native
 */
export async function evaluatePackage(
  environment: OrtEnvironment,
  source: ModelPackage,
  device: Device,
  documents: readonly (readonly number[])[],
  options: EvaluationOptions,
): Promise<Evaluation> {
  const { manifest } = source;
  const layout = settleLayout(layoutModelOf(manifest), options);
  const blocks = [...(options.concatenate ? cutStream : cutDocuments)(documents, layout)];
  requirePositions(blocks, documents);
  const sessions = new PackageSessions(environment, source, device);
  try {
    const totals = await score(sessions, manifest, blocks, layout, options);
    const text = blocks.flatMap(block => textChunks(block, layout));
    const autoencoder =
      manifest.kind === 'calm' ? await reconstruct(sessions, manifest, text, options.seed) : null;
    const random =
      manifest.kind === 'calm'
        ? await reconstruct(sessions, manifest, randomChunks(manifest, options.seed), options.seed)
        : null;
    const shape = shapeOfManifest(manifest);
    const full = { contextSteps: manifest.backbone.max_positions, candidates: 1 };
    return {
      ...totals.summary(),
      blockTokens: layout.blockTokens,
      stride: layout.stride,
      samples: options.samples,
      tokens: blocks.reduce((sum, block) => sum + block.textTokens, 0),
      autoencoderAccuracy: autoencoder?.noisy ?? null,
      autoencoderAccuracyClean: autoencoder?.clean ?? null,
      autoencoderAccuracyRandom: random?.noisy ?? null,
      flopsPerToken: shape && flopsPerToken(shape, full),
      flopsPerTokenParts: shape && flopsPerTokenByPart(shape, full),
    };
  } finally {
    sessions.close();
  }
}

async function score(
  sessions: PackageSessions,
  manifest: Manifest,
  blocks: readonly Block[],
  layout: BlockLayout,
  options: EvaluationOptions,
): Promise<BrierTotals> {
  const totals = new BrierTotals();
  const model = openBlockModel(sessions, manifest, layout, options);
  let tokens = 0;
  try {
    await scoreBlocks(model, blocks, {
      samples: options.samples,
      onBlock: (block, scores) => {
        for (const position of scores) totals.add(block.unit, position);
        tokens += block.textTokens;
        options.onProgress?.(tokens);
      },
    });
  } finally {
    model.close();
  }
  return totals;
}

function openBlockModel(
  sessions: PackageSessions,
  manifest: Manifest,
  layout: BlockLayout,
  { samples, seed }: EvaluationOptions,
): BlockModel {
  const size = evaluationCacheSize(manifest, layout.blockTokens);
  if (manifest.kind === 'calm') return new CalmBlockModel(sessions, manifest, size, seed);
  return new TokenBlockModel(sessions, manifest, size, { seed, paths: samples });
}

/** The whole chunks of a block's text. */
function textChunks({ tokens, textTokens }: Block, { chunkSize }: BlockLayout): readonly number[] {
  const front = tokens.length - textTokens;
  return tokens.slice(front, front + Math.floor(textTokens / chunkSize) * chunkSize);
}
