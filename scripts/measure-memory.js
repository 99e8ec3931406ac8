/**
 * Resident memory of `calm serve` over what it cannot do without: the package's files and the keys and values of the
 * texts that run. Prints Markdown; exits with 1 where a row is above --limit.
 *
 *   npm run build && node scripts/measure-memory.js --model ./calm-m --streams 1,32 --context 512
 *
 * Memory is read when every stream decodes (Linux: Rss of /proc/<pid>/smaps_rollup), together with what of it lies on
 * huge pages. It does not depend on how busy the machine is.
 */

import { setMaxListeners } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { promptOf, startMeasuredServer } from './measure-server/serve.js';
import { stream } from './measure-server/stream-client.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: 'stories-k2' },
    streams: { type: 'string', default: '1,32' },
    /** Tokens of each prompt. */
    context: { type: 'string', default: '512' },
    threads: { type: 'string', default: '2' },
    limit: { type: 'string', default: '1.25' },
  },
});
/** Chunks that every stream has generated when memory is read. */
const GENERATED = 4;

function packageFolder(model) {
  const shipped = fileURLToPath(new URL(`../models/${model}`, import.meta.url));
  return /[\\/]/.test(model) ? model : shipped;
}

function packageBytes(folder) {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** Keys and values of one chunk. */
function bytesPerChunk(folder) {
  const { backbone, activation_type } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  const elementBytes = activation_type === 'fp16' ? 2 : 4;
  return 2 * backbone.layers * backbone.kv_heads * backbone.head_size * elementBytes;
}

/** Bytes of a process that are in memory, and those of them on transparent huge pages. */
function memoryOf(pid) {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const bytes = key => Number(new RegExp(`^${key}: +(\\d+) kB$`, 'm').exec(rollup)?.[1]) * 1024;
  return { resident: bytes('Rss'), huge: bytes('AnonHugePages') };
}

/** Runs streams until each has generated enough, and reads the server's memory then. */
async function measure({ pid, port, model }, streams) {
  const { chunk_size: chunkSize, n_vocab: vocabSize } = model.meta;
  const context = Number(options.context);
  const promptChunks = Math.ceil(context / chunkSize);
  // Long enough that the first stream still runs when the last one's prompt is read.
  const texts = Math.ceil((streams * promptChunks) / 16) + 64;
  const generated = new Array(streams).fill(0);
  let found = null;
  const window = {
    chunks(index, count) {
      generated[index] += count;
      if (found !== null || generated.some(chunks => chunks < GENERATED)) return;
      const chunks = generated.reduce((sum, chunks) => sum + promptChunks + chunks, 0);
      found = { ...memoryOf(pid), chunks };
    },
    ended() {},
  };
  const tokens = texts * chunkSize;
  const body = { max_tokens: tokens, temperature: 1, ignore_eos: true };
  const aborts = new AbortController();
  setMaxListeners(0, aborts.signal);
  const running = Array.from({ length: streams }, (_, index) =>
    stream(
      { port, tokens, body: { ...body, seed: index, prompt: promptOf(index, context, vocabSize) } },
      index,
      window,
      aborts.signal,
    ),
  );
  while (found === null) {
    await Promise.race([...running, new Promise(resolve => setTimeout(resolve, 20))]);
  }
  aborts.abort();
  await Promise.all(running);
  return found;
}

const folder = packageFolder(options.model);
const mib = bytes => (bytes / 2 ** 20).toFixed(0);
const weights = packageBytes(folder);
const server = await startMeasuredServer({ model: options.model, threads: Number(options.threads) });
try {
  console.log(`${options.model}, prompts of ${options.context} tokens, MiB:\n`);
  console.log('| streams | resident | on huge pages | package | cache in use | resident over both |');
  console.log('|---|---|---|---|---|---|');
  const idle = memoryOf(server.pid);
  const rows = [{ streams: 0, ...idle, chunks: 0 }];
  for (const streams of options.streams.split(',').map(Number)) {
    rows.push({ streams, ...(await measure(server, streams)) });
  }
  for (const { streams, resident, huge, chunks } of rows) {
    const cache = chunks * bytesPerChunk(folder);
    const ratio = resident / (weights + cache);
    if (ratio > Number(options.limit)) process.exitCode = 1;
    const cells = [streams, mib(resident), mib(huge), mib(weights), mib(cache), `**${ratio.toFixed(2)}**`];
    console.log(`| ${cells.join(' | ')} |`);
  }
} finally {
  server.end();
}
