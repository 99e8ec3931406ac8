/** A token package against recorded logits: the whole row at once, and token by token over the cache. */
import type { TokenManifest } from '../../runtime/manifest.js';
import { type Check, checkFloats, tolerancesOf } from './check.js';
import type { TokenGolden } from './golden.js';
import type { GraphRunner } from './graph-runner.js';

/** Runs both checks. */
export async function checkToken(
  runner: GraphRunner,
  manifest: TokenManifest,
  golden: TokenGolden,
): Promise<Check[]> {
  const tolerance = tolerancesOf(manifest).floats;
  return [
    checkFloats(
      'backbone and lm_head: logits',
      await wholeRows(runner, manifest, golden),
      golden.logits.values,
      tolerance,
    ),
    checkFloats(
      'step: logits over the cache',
      await tokenByToken(runner, manifest, golden),
      golden.logits.values,
      tolerance,
    ),
  ];
}

async function wholeRows(
  runner: GraphRunner,
  manifest: TokenManifest,
  golden: TokenGolden,
): Promise<number[]> {
  const [rows = 0, length = 0] = golden.inputIds.shape;
  const width = manifest.backbone.hidden_size;
  const logits: number[] = [];
  for (let row = 0; row < rows; row += 1) {
    const ids = golden.inputIds.ids.slice(row * length, (row + 1) * length);
    const { hidden } = await runner.run('backbone', {
      cache: { firstRow: row, ids: [ids], lengths: [length] },
      outputs: { hidden: [1, length, width] },
    });
    const head = await runner.run('lm_head', {
      feeds: { hidden: { shape: [length, width], values: hidden! } },
      outputs: { logits: [length, manifest.vocab_size] },
    });
    for (const value of head.logits!) logits.push(value);
  }
  return logits;
}

async function tokenByToken(
  runner: GraphRunner,
  manifest: TokenManifest,
  golden: TokenGolden,
): Promise<Float32Array> {
  const [rows = 0, length = 0] = golden.inputIds.shape;
  const vocabulary = manifest.vocab_size;
  const all = new Float32Array(rows * length * vocabulary);
  const column = Array.from({ length: rows }, () => 1);
  for (let position = 0; position < length; position += 1) {
    const { logits } = await runner.run('step', {
      feeds: {
        inverse_temperature: { shape: [rows, 1], values: column },
        uniform: { shape: [rows, 1], values: column.map(() => 0.5) },
      },
      cache: {
        firstRow: 0,
        ids: column.map((_, row) => [golden.inputIds.ids[row * length + position]!]),
        lengths: column.map(() => position + 1),
      },
      outputs: { logits: [rows, vocabulary] },
    });
    for (let row = 0; row < rows; row += 1) {
      const target = (row * length + position) * vocabulary;
      all.set(logits!.subarray(row * vocabulary, (row + 1) * vocabulary), target);
    }
  }
  return all;
}
