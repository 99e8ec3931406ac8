/**
 * What is left of the engine's speed behind HTTP: chunks a second of `calm serve` with streaming clients over those of
 * the same engine in a process of its own, all in turns. Prints Markdown.
 *
 *   npm run build && node scripts/measure-server.js --model stories-k2 --streams 1,32
 *   npm run build && node scripts/measure-server.js --model ./calm-m --context 128 --chunks 64 --rounds 3
 *
 * Timed is the window in which all streams decode, as `calm bench` does (scripts/measure-server/steady-window.js); the
 * rate of whole rounds, with requests, prompts and the batch's filling and emptying, stands beside it. The client is on
 * the same machine and shares its cores: the table says how much of one it took. `CPU` is the engine's processor time a
 * chunk over the server's, in the same window: what the ratio would be if the client ran elsewhere and nothing of the
 * server ran beside the native step. Whoever uses the machine meanwhile disturbs the rates much and CPU times little.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { promptOf, startMeasuredServer } from './measure-server/serve.js';
import { cpuMsOf, SteadyWindow } from './measure-server/steady-window.js';
import { stream } from './measure-server/stream-client.js';
import { median, spreadOf, spreadText } from './statistics.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: 'stories-k2' },
    streams: { type: 'string', default: '1,32' },
    /** Tokens of each prompt. */
    context: { type: 'string', default: '16' },
    /** Chunks of each text. */
    chunks: { type: 'string', default: '128' },
    rounds: { type: 'string', default: '5' },
    threads: { type: 'string', default: '2' },
    /** A server for each size. The engine alone keeps no beginnings of prompts. */
    'prefix-cache-memory': { type: 'string', default: '0,256MiB' },
    /** Options of Node for the server, such as --node-options='--cpu-prof --cpu-prof-dir=profiles'. */
    'node-options': { type: 'string' },
  },
});
const [chunks, rounds, threads] = [options.chunks, options.rounds, options.threads].map(Number);
const fileAt = path => fileURLToPath(new URL(path, import.meta.url));

async function startEngine() {
  const settings = JSON.stringify({ model: options.model, threads, chunks });
  const child = fork(fileAt('./measure-server/engine-alone.js'), [settings]);
  await answerOf(child);
  const run = async (prompts, firstSeed) => {
    child.send({ prompts, firstSeed });
    return answerOf(child);
  };
  return { run, end: () => child.disconnect() };
}

/** The child's next message. @throws Error where it ends instead */
async function answerOf(child) {
  const given = new AbortController();
  const gone = once(child, 'exit', { signal: given.signal }).then(([code]) => {
    throw new Error(`the engine ended with code ${code}`);
  });
  try {
    const [message] = await Promise.race([once(child, 'message', { signal: given.signal }), gone]);
    return message;
  } finally {
    gone.catch(() => {});
    given.abort();
  }
}

/** A round on the server: its figures, with the client's CPU time beside the server's. */
async function runServed({ pid, port, model }, prompts, firstSeed) {
  const own = () => process.cpuUsage();
  const window = new SteadyWindow(prompts.length, () => ({
    cpuMs: cpuMsOf(pid),
    clientMs: (own().user + own().system) / 1000,
  }));
  const tokens = chunks * model.meta.chunk_size;
  const ask = { max_tokens: tokens, temperature: 1, ignore_eos: true };
  const requests = prompts.map((prompt, i) => ({
    port,
    tokens,
    body: { ...ask, prompt, seed: firstSeed + i },
  }));
  await Promise.all(requests.map((request, index) => stream(request, index, window)));
  return window.result();
}

/** The median, and the least and the most, of what `of` makes of each round. */
function spread(results, of) {
  return spreadText(spreadOf(results.map(of)));
}

/** `servers` by the size of their prefix cache. */
async function measure(engine, servers) {
  const [{ model }] = servers.values();
  const { chunk_size: chunkSize, n_vocab: vocabSize } = model.meta;
  console.log(
    `${options.model}, prompts of ${options.context} tokens, texts of ${chunks} chunks of ${chunkSize}, ` +
      `${threads} threads, ${rounds} rounds in turns; median (least to most):\n`,
  );
  console.log(`| ${columns.join(' | ')} |\n|${'---|'.repeat(columns.length)}`);
  for (const streams of options.streams.split(',').map(Number)) {
    const results = [];
    for (let round = 0; round <= rounds; round += 1) {
      const seed = round * streams;
      const prompts = Array.from({ length: streams }, (_, index) =>
        promptOf(seed + index, Number(options.context), vocabSize),
      );
      const alone = await engine.run(prompts, seed);
      const served = new Map();
      for (const [size, server] of servers) served.set(size, await runServed(server, prompts, seed));
      results.push({ alone, served });
    }
    for (const size of servers.keys()) {
      const pairs = results.slice(1).map(({ alone, served }) => ({ alone, served: served.get(size) }));
      console.log(`| ${cellsOf(streams, size, chunkSize, pairs).join(' | ')} |`);
    }
  }
}

function cellsOf(streams, size, chunkSize, results) {
  const perChunk = result => result.cpuMs / result.chunks;
  return [
    streams,
    size,
    median(results.map(({ alone }) => alone.perSecond * chunkSize)).toFixed(0),
    median(results.map(({ served }) => served.perSecond * chunkSize)).toFixed(0),
    `**${spread(results, ({ alone, served }) => served.perSecond / alone.perSecond)}**`,
    median(results.map(({ alone, served }) => served.wholePerSecond / alone.wholePerSecond)).toFixed(2),
    spread(results, ({ alone, served }) => perChunk(alone) / perChunk(served)),
    median(results.map(({ alone, served }) => 1000 * (perChunk(served) - perChunk(alone)))).toFixed(0),
    median(results.map(({ served }) => served.clientMs / served.ms)).toFixed(2),
    median(results.map(({ served }) => served.cpuMs / served.ms)).toFixed(2),
  ];
}

const columns = [
  'streams',
  'prefix cache',
  'engine, tokens/s',
  'server, tokens/s',
  'server over engine',
  'whole rounds',
  'CPU',
  'added, µs a chunk',
  'client, cores',
  'server, cores',
];
const engine = await startEngine();
const servers = new Map();
try {
  const nodeOptions = options['node-options']?.split(' ');
  for (const prefixCacheMemory of options['prefix-cache-memory'].split(',')) {
    const setting = { model: options.model, threads, prefixCacheMemory, nodeOptions };
    servers.set(prefixCacheMemory, await startMeasuredServer(setting));
  }
  await measure(engine, servers);
} finally {
  for (const server of servers.values()) server.end();
  engine.end();
}
