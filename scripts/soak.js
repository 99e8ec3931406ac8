/**
 * A soak of `calm serve` as a process of its own, with a real model: requests of every kind at four times the slots,
 * with clients that leave at any moment. Afterwards nothing may run, wait or hold a slot, no answer may differ from
 * what it is alone, and memory may not have grown over the second half.
 *
 *   npm run soak                                     10,000 requests to the default model
 *   npm run soak -- --requests 1000 --model <package> --device cuda     below 5,000, without the judgement of memory
 *
 * The same on a model without weights, in one process with its server: tests/server/soak.test.ts.
 */
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { RandomStream } from '../dist/sampler/uniform.js';
import { startServer } from './start-server.js';

const { values: options } = parseArgs({
  options: {
    requests: { type: 'string', default: '10000' },
    slots: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
    model: { type: 'string' },
    device: { type: 'string', default: 'cpu' },
    threads: { type: 'string', default: '1' },
  },
});
const requestCount = Number(options.requests);
const slots = Number(options.slots);
const clients = 4 * slots;
/** Most that memory may be larger in the last three tenths than in the three tenths from the middle on. */
const largestGrowth = 1.03;
/** In fewer requests a process is still finding its size, and growth says nothing. */
const leastForGrowth = 5000;

const { model, device, threads } = options;
const server = await startServer(
  [
    ...['--device', device, '--threads', threads, '--max-num-seqs', String(slots)],
    ...['--log-format', 'json', '--disable-access-log-for', '*'],
    ...(model ? ['--model', model] : []),
  ],
  { keepsLog: true },
);
const getJson = async path => (await fetch(server.url + path)).json();
const post = (body, init = {}) =>
  fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  });

const { data: models } = await getJson('/v1/models');
const contextTokens = models[0].max_model_len;
/** Long enough to take several steps to read, and cut to what leaves room for an answer. */
const longPrompt = 'Once upon a time there was a little boat on a big lake. '.repeat(contextTokens / 8);

/** What is asked again and again; each has one answer. */
const questions = Array.from({ length: 24 }, (_, seed) => ({
  prompt: seed % 6 === 5 ? `${seed} ${longPrompt}` : `The ${'very '.repeat(seed)}small fox`,
  truncate_prompt_tokens: Math.floor(contextTokens / 2) - seed,
  max_tokens: [2, 6, 12, 40][seed % 4],
  temperature: [1, 0.7, 0, 1][seed % 4],
  num_candidates: 4,
  n: seed % 5 === 4 ? 3 : 1,
  seed,
}));
const mistakes = [
  [400, '{"prompt":'],
  [400, '{"max_tokens":-1}'],
  [404, '{"model":"nobody"}'],
  [400, `{"prompt":[${2 ** 40}]}`],
  [400, '[]'],
  [400, '\u0000'],
];

const readTexts = async response => (await response.json()).choices.map(({ text }) => text);

/** Texts of a stream; null where the client leaves after so many events. */
async function readStream(question, leaveAfter) {
  const controller = new AbortController();
  const response = await post({ ...question, stream: true }, { signal: controller.signal });
  const texts = Array.from({ length: question.n }, () => '');
  let buffer = '';
  let events = 0;
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    buffer += part;
    const frames = buffer.split('\n\n');
    buffer = frames.pop();
    for (const frame of frames) {
      if (events++ === leaveAfter) {
        controller.abort();
        return null;
      }
      const data = frame.slice('data: '.length);
      if (data === '[DONE]') return texts;
      const event = JSON.parse(data);
      if (event.error) throw new Error(event.error.message);
      for (const { index, text } of event.choices) texts[index] += text;
    }
  }
  throw new Error('a stream ended without [DONE]');
}

const alone = [];
for (const question of questions) alone.push(await readTexts(await post(question)));

/** The same run for the same seed, but for who is served first. */
const stream = new RandomStream({ seed: Number(options.seed), choice: 0, step: 0 });
const random = () => stream.next();
const counts = { stream: 0, whole: 0, leftStream: 0, leftWhole: 0, mistake: 0 };
const wrong = [];
const memory = [];
let asked = 0;
const startMs = performance.now();

async function ask() {
  const index = Math.floor(random() * questions.length);
  const question = questions[index];
  const kind = random();
  if (kind < 0.35) {
    counts.stream += 1;
    check(index, await readStream(question, Number.POSITIVE_INFINITY));
  } else if (kind < 0.6) {
    counts.whole += 1;
    check(index, await readTexts(await post(question)));
  } else if (kind < 0.75) {
    counts.leftStream += 1;
    await readStream(question, Math.floor(random() * 8));
  } else if (kind < 0.9) {
    counts.leftWhole += 1;
    // Before it is sent, while it waits, while it runs, or not at all.
    const signal = AbortSignal.timeout(Math.floor(random() ** 3 * 1000));
    await post({ ...question, stream: random() < 0.5 }, { signal })
      .then(response => response.text())
      .catch(() => null);
  } else {
    counts.mistake += 1;
    const [status, body] = mistakes[Math.floor(random() * mistakes.length)];
    const response = await post(body);
    await response.text();
    if (response.status !== status) wrong.push(`${body.slice(0, 40)} gave ${response.status}`);
  }
}

function check(index, texts) {
  if (!isDeepStrictEqual(texts, alone[index]))
    wrong.push(`question ${index}: ${JSON.stringify(texts)} and alone ${JSON.stringify(alone[index])}`);
}

async function scrape() {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const values = new Map();
  for (const [, name, value] of text.matchAll(/^([a-z_:]+)(?:\{.*\})? (\S+)$/gm)) {
    values.set(name, (values.get(name) ?? 0) + Number(value));
  }
  return name => values.get(name);
}

async function noteMemory() {
  const value = await scrape();
  const toMiB = bytes => Math.round(bytes / 2 ** 20);
  const row = {
    requests: asked,
    seconds: Math.round((performance.now() - startMs) / 1000),
    resident: toMiB(value('process_resident_memory_bytes')),
    heap: toMiB(value('nodejs_heap_size_used_bytes')),
    external: toMiB(value('nodejs_external_memory_bytes')),
  };
  memory.push(row);
  console.log(
    `${row.requests} requests, ${row.seconds} s: ${row.resident} MiB resident, heap ${row.heap}, external ${row.external}`,
  );
}

async function client() {
  while (asked < requestCount) {
    asked += 1;
    if (asked % Math.ceil(requestCount / 10) === 0) await noteMemory();
    await ask();
  }
}

console.log(`${requestCount} requests by ${clients} clients to ${models[0].id} with ${slots} slots`);
await Promise.all(Array.from({ length: clients }, client));

/** The requests that their clients left end within a step; the last of them may still be in one. */
async function settle() {
  for (;;) {
    const { models: loads } = await getJson('/health');
    if (loads.every(({ running, waiting }) => running + waiting === 0)) return;
  }
}
await settle();
const value = await scrape();
const expectZero = [
  'vllm:num_requests_running',
  'vllm:num_requests_waiting',
  'vllm:kv_cache_usage_perc',
  'calm:unread_chunks',
  'calm:failed_steps_total',
];
for (const name of expectZero) if (value(name) !== 0) wrong.push(`${name} is ${value(name)}`);
// What each question gives after all this, and nobody beside it.
for (const [index, question] of questions.entries()) check(index, await readTexts(await post(question)));

const mean = rows => rows.reduce((sum, { resident }) => sum + resident, 0) / rows.length;
const growth = mean(memory.slice(-3)) / mean(memory.slice(4, 7));
if (requestCount >= leastForGrowth && !(growth < largestGrowth))
  wrong.push(`resident memory grew to ${growth.toFixed(3)} of what it was`);

const exitCode = await server.end();
if (exitCode !== 0) wrong.push(`the server ended with ${exitCode}`);
if (server.log().includes('"level":"error"')) wrong.push(server.log());

console.log(JSON.stringify({ ...counts, growth: Number(growth.toFixed(3)), wrong: wrong.length }));
for (const line of wrong.slice(0, 10)) console.error(line);
process.exitCode = wrong.length === 0 ? 0 : 1;
