/**
 * What the server adds to the engine: CPU time for each generated chunk, of the engine alone in this process and of
 * `calm serve` with as many streaming clients, with one native thread each. Prints Markdown.
 *
 *   npm run build && node scripts/measure-server.js --model stories-k2 --streams 1,32
 *
 * CPU time, as other work on the machine disturbs it little. On an idle machine with a core to spare the rate through
 * the server over that of the engine is at least the ratio that is printed: what the server adds may run beside the
 * native step. The client's own work is in neither figure.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openModels } from '../dist/cli/open-models.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: 'stories-k2' },
    streams: { type: 'string', default: '1,32' },
    tokens: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '6' },
    /** Options of Node for the server, such as --cpu-prof. */
    'node-options': { type: 'string' },
  },
});
const tokens = Number(options.tokens);
const rounds = Number(options.rounds);
const program = fileURLToPath(new URL('../bin/calm.js', import.meta.url));
const prompt = 'Once upon a time, there was a little';

function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** CPU milliseconds of a process and its threads (proc(5): user and system time in hundredths of a second). */
function cpuMsOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function median(values) {
  const ascending = [...values].sort((a, b) => a - b);
  const middle = (ascending.length - 1) / 2;
  return (ascending[Math.floor(middle)] + ascending[Math.ceil(middle)]) / 2;
}

/** Runs `once` for all streams at a time, some rounds; CPU milliseconds a chunk of each round but the first. */
async function measure(streams, read, once) {
  const perChunk = [];
  for (let round = 0; round <= rounds; round += 1) {
    const before = read();
    const chunks = await Promise.all(Array.from({ length: streams }, (_, i) => once(round * streams + i)));
    perChunk.push((read() - before) / chunks.reduce((sum, count) => sum + count, 0));
  }
  return perChunk.slice(1);
}

/** One text from the engine; gives its chunks. */
async function generate(engine, promptTokens, seed) {
  const sampling = { temperature: 1, numCandidates: 1, seed, choice: 0 };
  const request = { promptTokens, maxTokens: tokens, minTokens: 0, sampling, stopTokenIds: [] };
  let chunks = 0;
  for await (const _ of engine.submit(request)) chunks += 1;
  return chunks;
}

function serve() {
  const node = options['node-options']?.split(' ') ?? [];
  const args = [
    'serve',
    '--model',
    options.model,
    '--port',
    '0',
    '--threads',
    '1',
    '--prefix-cache-memory',
    '0',
  ];
  const child = spawn(process.execPath, [...node, program, ...args, '--disable-access-log-for', '*'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    child.once('close', code => reject(new Error(`the server ended with code ${code}`)));
    createInterface(child.stdout).on('line', line => {
      const url = /on (http:\S+) \(ready/.exec(line)?.[1];
      if (url) resolve({ url, pid: child.pid, end: () => child.kill('SIGTERM') });
    });
  });
}

/** One text over HTTP; gives its events. */
function stream(url, agent, seed) {
  const body = JSON.stringify({
    prompt,
    seed,
    max_tokens: tokens,
    temperature: 1,
    ignore_eos: true,
    stream: true,
  });
  return new Promise((resolve, reject) => {
    const request = http.request(
      `${url}/v1/completions`,
      { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
      response => {
        let events = -1;
        response.setEncoding('utf8').on('data', text => {
          events += text.split('data: ').length - 1;
        });
        response.once('end', () =>
          response.statusCode === 200 ? resolve(events) : reject(new Error(`status ${response.statusCode}`)),
        );
      },
    );
    request.once('error', reject).end(body);
  });
}

const counts = options.streams.split(',').map(Number);
const alone = new Map();
{
  const opened = await openModels([{ model: options.model }], { device: 'cpu', threads: 1 });
  const [{ engine, encoding }] = opened.models;
  const promptTokens = encoding ? encoding.encode(prompt) : [5, 6, 7, 8, 9, 10];
  for (const streams of counts) {
    alone.set(streams, await measure(streams, cpuMs, seed => generate(engine, promptTokens, seed)));
  }
  await opened[Symbol.asyncDispose]();
}
const served = new Map();
const server = await serve();
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
for (const streams of counts) {
  const read = () => cpuMsOf(server.pid);
  served.set(streams, await measure(streams, read, seed => stream(server.url, agent, seed)));
}
agent.destroy();
server.end();

console.log(`${options.model}, ${tokens} tokens a text, median of ${rounds} rounds:\n`);
console.log('| streams | engine, CPU ms a chunk | server, CPU ms a chunk | added | engine over server |');
console.log('|---|---|---|---|---|');
for (const streams of counts) {
  const [a, b] = [median(alone.get(streams)), median(served.get(streams))];
  console.log(
    `| ${streams} | ${a.toFixed(3)} | ${b.toFixed(3)} | ${(b - a).toFixed(3)} | **${(a / b).toFixed(2)}** |`,
  );
}
