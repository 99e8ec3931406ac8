/**
 * What a context costs as it grows, through the engine: a decode step, the prefill, and memory. Prints Markdown.
 *
 *   npm run build && node scripts/measure-long-context.js --model <package> --chunks 16,64,256,1024,2048
 *
 * Times are CPU time of this process on one thread, which other work on the machine disturbs little; on an idle machine
 * it is wall time. Each length is measured `--repetitions` times, all lengths in turn; figures are medians. A step is
 * everything from one chunk to the next, engine and all. Prefill is by position: what the piece of 64 chunks that ends
 * at this length cost. Memory is what the resident set grew by while `--rows` rows of the greatest length were filled.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Engine } from '../dist/runtime/engine.js';
import { loadModel } from '../dist/runtime/load-model.js';
import { openPackage } from '../dist/runtime/open-package.js';
import { OrtEnvironment } from '../dist/runtime/ort/environment.js';
import { OrtLibrary } from '../dist/runtime/ort/library.js';
import { median } from './statistics.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    chunks: { type: 'string', default: '16,64,256,512,1024,2048' },
    steps: { type: 'string', default: '12' },
    rows: { type: 'string', default: '4' },
    repetitions: { type: 'string', default: '3' },
    /** Rows that decode at once. */
    batch: { type: 'string', default: '1' },
  },
});
const steps = Number(options.steps);
const batch = Number(options.batch);
const rowCount = Number(options.rows);
const lengths = options.chunks.split(',').map(Number);
const PIECE = 64;
const WARMUP_STEPS = 2;

const source = openPackage(options.model);
const { manifest } = source;
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 1 });
const { backbone } = manifest;
const bytesPerChunk =
  2 *
  backbone.layers *
  backbone.kv_heads *
  backbone.head_size *
  (manifest.activation_type === 'fp16' ? 2 : 4);

/** Random ids, the same in every run (a multiplicative congruential generator). */
function randomIds(count, seed) {
  let state = (seed + 1) * 48271;
  return Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647;
    return state % manifest.vocab_size;
  });
}

function residentBytes() {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function open(slots) {
  const { model } = loadModel(environment, source, { slots, device: 'cpu' });
  const bosTokenId = manifest.bos_token_id;
  return { model, engine: new Engine(model, { bosTokenId, prefillChunksPerStep: PIECE }) };
}

/** Follows texts whose prompts have `chunks` chunks; `onChunk` hears of the first one's chunks. */
async function run({ model, engine }, chunks, texts, onChunk) {
  const K = model.chunkSize;
  const generated = Math.min(WARMUP_STEPS + steps + 1, model.contextChunks - chunks + 1);
  const follow = async text => {
    const request = {
      promptTokens: [manifest.bos_token_id, ...randomIds(chunks * K - 1, text + chunks)],
      maxTokens: generated * K,
      minTokens: 0,
      sampling: { temperature: 1, numCandidates: 1, seed: text, choice: 0 },
      stopTokenIds: [],
    };
    let seen = 0;
    for await (const _ of engine.submit(request)) onChunk(text, ++seen);
  };
  await Promise.all(Array.from({ length: texts }, (_, text) => follow(text)));
}

/** CPU milliseconds of each decode step, when every row holds `chunks` chunks or a few more. */
async function decodeCost(opened, chunks) {
  const readings = [];
  await run(opened, chunks, batch, (text, seen) => {
    // The last text was admitted last: while it decodes, all of them do.
    if (text !== batch - 1 || seen < WARMUP_STEPS) return;
    readings.push(cpuMs());
  });
  return readings.slice(1, -1).map((reading, index) => reading - readings[index]);
}

/** CPU milliseconds of the piece that ends at each length. */
async function prefillCost({ model }, longest, slot = 0, start = 0) {
  const K = model.chunkSize;
  const times = new Map();
  const ids = randomIds(longest * K, 7);
  for (let position = start; position < longest; position += PIECE) {
    const tokens = ids.slice(position * K, Math.min(longest, position + PIECE) * K);
    const startMs = cpuMs();
    await model.step({ prefill: [{ slot, position, tokens }], decode: [] });
    times.set(position + tokens.length / K, ((cpuMs() - startMs) * PIECE * K) / tokens.length);
  }
  return times;
}

/** MiB that the process grew by when rows were filled with 16 and with more chunks, and what their keys and values take. */
async function memoryCost(chunks) {
  const filled = open(rowCount);
  const before = residentBytes();
  const fill = async (from, to) => {
    for (let slot = 0; slot < rowCount; slot += 1) await prefillCost(filled, to, slot, from);
  };
  await fill(0, 16);
  const short = residentBytes() - before;
  await fill(16, chunks);
  const long = residentBytes() - before;
  await filled.engine.close();
  return [short, long, rowCount * bytesPerChunk * chunks].map(bytes => (bytes / 2 ** 20).toFixed(0));
}

const fits = lengths.filter(chunks => chunks + 4 <= backbone.max_positions);
const memory = await memoryCost(Math.max(...fits));
const decode = new Map(fits.map(chunks => [chunks, []]));
const prefill = new Map();
const opened = open(batch);
for (let repetition = -1; repetition < Number(options.repetitions); repetition += 1) {
  const pieces = await prefillCost(opened, Math.max(...fits));
  for (const chunks of fits) {
    const costs = await decodeCost(opened, chunks);
    // The first round is for kernels and compilers to warm up.
    if (repetition >= 0) decode.get(chunks).push(...costs);
  }
  if (repetition < 0) continue;
  for (const [end, ms] of pieces) prefill.set(end, [...(prefill.get(end) ?? []), ms]);
}
await opened.engine.close();

environment.close();

console.log(
  `${manifest.name} (${manifest.weight_type}, cache ${manifest.activation_type}), K = ${manifest.chunk_size}, ` +
    `${batch} row${batch > 1 ? 's' : ''}, ${bytesPerChunk} bytes of cache a chunk:\n`,
);
console.log(
  '| chunks in the row | step, CPU ms | over the shortest | prefill of 64 chunks up to here, CPU ms |',
);
console.log('|---|---|---|---|');
const stepMs = chunks => median(decode.get(chunks));
for (const chunks of fits) {
  const end = Math.max(PIECE, chunks);
  const piece = prefill.has(end) ? median(prefill.get(end)).toFixed(1) : '-';
  console.log(
    `| ${chunks} | ${stepMs(chunks).toFixed(2)} | ${(stepMs(chunks) / stepMs(fits[0])).toFixed(2)} | ` +
      `${piece} |`,
  );
}
const [shortMib, longMib, cacheMib] = memory;
console.log(
  `\nThe process grew by ${shortMib} MiB when ${rowCount} rows were filled with 16 chunks, and by ${longMib} MiB when they ` +
    `were filled with ${Math.max(...fits)}, whose keys and values are ${cacheMib} MiB.`,
);
