/**
 * Resident memory of `calm serve` over what it cannot do without: the package's files and the cache in use, which is the
 * keys and values of the texts that run, and those that the prefix cache keeps. Prints Markdown; exits with 1 where a
 * row is above --limit.
 *
 *   npm run build && node scripts/measure-memory.js --model ./calm-m --streams 1,32 --context 512
 *
 * Each size of --prefix-cache-memory has a server of its own; by default that is none and serve's own default. Memory is
 * read when every stream decodes (Linux: Rss of /proc/<pid>/smaps_rollup), together with what of it lies on huge pages.
 * It does not depend on how busy the machine is.
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
    'prefix-cache-memory': { type: 'string', default: '0,256MiB' },
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

/** Bytes of kept beginnings of prompts, as the server's own metrics say. */
async function keptBytes({ url }) {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^calm:prefix_cache_bytes\{[^}]*\} (\S+)$/m.exec(metrics)?.[1]);
}

/** Runs streams until each has generated enough, and reads the server's memory then. */
async function measure(server, streams) {
  const { pid, port, model } = server;
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
  // All prompts are read by now, and only prompts change what is kept.
  const kept = await keptBytes(server);
  aborts.abort();
  await Promise.all(running);
  return { ...found, kept };
}

const folder = packageFolder(options.model);
const mib = bytes => (bytes / 2 ** 20).toFixed(0);
const weights = packageBytes(folder);

/** The rows of one server: idle, and with each number of streams. */
async function measureServer(prefixCacheMemory) {
  const threads = Number(options.threads);
  const server = await startMeasuredServer({ model: options.model, threads, prefixCacheMemory });
  try {
    const rows = [{ streams: 0, ...memoryOf(server.pid), chunks: 0, kept: await keptBytes(server) }];
    for (const streams of options.streams.split(',').map(Number)) {
      rows.push({ streams, ...(await measure(server, streams)) });
    }
    return rows;
  } finally {
    await server.end();
  }
}

function rowText(prefixCacheMemory, { streams, resident, huge, chunks, kept }) {
  const texts = chunks * bytesPerChunk(folder);
  const ratio = resident / (weights + texts + kept);
  if (ratio > Number(options.limit)) process.exitCode = 1;
  const cells = [resident, huge, weights, texts, kept].map(mib);
  return `| ${[prefixCacheMemory, streams, ...cells, `**${ratio.toFixed(2)}**`].join(' | ')} |`;
}

const titles = [
  'prefix cache',
  'streams',
  'resident',
  'on huge pages',
  'package',
  'running texts',
  'kept prompts',
];
console.log(`${options.model}, prompts of ${options.context} tokens, MiB:\n`);
console.log(`| ${titles.join(' | ')} | resident over the last three |\n|${'---|'.repeat(titles.length + 1)}`);
for (const prefixCacheMemory of options['prefix-cache-memory'].split(',')) {
  for (const row of await measureServer(prefixCacheMemory)) console.log(rowText(prefixCacheMemory, row));
}
console.log(
  '\nPackage: the bytes of its files. Running texts: keys and values of their prompts and of what they have generated, ' +
    'chunk by chunk. Kept prompts: calm:prefix_cache_bytes of /metrics, the keys and values of beginnings of prompts that ' +
    'the prefix cache holds, those of ended texts too.',
);
