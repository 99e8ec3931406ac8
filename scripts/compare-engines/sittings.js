/** Sittings: at one point, the engines one after the other, so close in time that they find the same machine. */
import os from 'node:os';
import { commandsOf, commandText, runCalm, runLlama, runReader } from './engines.js';

/** Points in order; at those of `baselineOnly` the token model runs alone. */
export function pointsOf({ contexts, batches, baselineOnly, calmModel, tokenModel }) {
  return contexts
    .flatMap(context => [
      ...batches.map(batch => ({ context, batch, models: [calmModel, tokenModel] })),
      ...baselineOnly
        .filter(point => point.context === context)
        .map(({ batch }) => ({ context, batch, models: [tokenModel] })),
    ])
    .sort((a, b) => a.context - b.context || a.batch - b.batch);
}

/**
 * One sitting.
 *
 * @param {{ context: number, batch: number, models: readonly string[] }} point
 * @param {boolean} isReversed every other round goes through points and engines backwards
 * @param {(engine: string) => void} onProgress hears of each engine before it runs
 */
export async function sit(point, settings, isReversed, onProgress) {
  const models = isReversed ? point.models.toReversed() : point.models;
  const commands = commandsOf({ ...point, models }, settings);
  const runs = [
    ['reader', 'C reader', runReader],
    ['calm', 'calm bench', runCalm],
    ['llama', 'llama.cpp', runLlama],
  ].filter(([key]) => commands[key] !== null);
  const found = {};
  const loadAverages = [os.loadavg()[0]];
  for (const [key, name, run] of isReversed ? runs.toReversed() : runs) {
    onProgress(name);
    found[key] = await run(commands[key]);
    loadAverages.push(os.loadavg()[0]);
  }
  const ours = isReversed ? found.calm.toReversed() : found.calm;
  const token = ours.at(-1);
  return {
    context: point.context,
    batch: point.batch,
    is_reversed: isReversed,
    load_average: Math.max(...loadAverages),
    c_reader_bytes_per_second: found.reader,
    probe_bytes_per_second: token.read_bandwidth_bytes_per_second,
    product_flops_per_second: token.product_flops_per_second,
    attention_flops_per_second: token.attention_flops_per_second,
    calm: ours.length > 1 ? rowOf(ours[0]) : null,
    token: rowOf(token),
    llama: found.llama ?? null,
    commands: runs.map(([key]) => commandText(commands[key])),
  };
}

function rowOf({ model, weight_type, rows }) {
  return { model, weight_type, ...rows[0] };
}
