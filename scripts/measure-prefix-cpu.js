/**
 * What the prefix cache saves and costs in CPU time, which other work on the machine disturbs little: one text after
 * the other through two engines of this process, with the cache and without, on one native thread. Prints Markdown.
 * scripts/measure-prefix-cache.js measures the time to first token over HTTP.
 *
 *   npm run build && node scripts/measure-prefix-cpu.js --model <package> --prefix-tokens 1000
 */
import { parseArgs } from 'node:util';
import { openModels } from '../dist/cli/open-models.js';
import { median } from './statistics.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    'prefix-tokens': { type: 'string', default: '1000' },
    requests: { type: 'string', default: '16' },
  },
});
const requests = Number(options.requests);
const opened = [];
for (const prefixCacheMemory of [2 ** 30, 0]) {
  const one = await openModels([{ model: options.model }], { device: 'cpu', threads: 1, prefixCacheMemory });
  opened.push(one);
}
const models = opened.map(one => one.models[0]);
const { chunkSize, vocabSize } = models[0];

/** Random ids, the same in every run (a multiplicative congruential generator). */
function randomIds(count, seed) {
  let state = (seed + 1) * 48271;
  return Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647;
    return state % vocabSize;
  });
}

/** CPU milliseconds until a text's only chunk. */
async function cpuOfFirstChunk({ engine }, promptTokens, seed) {
  const before = process.cpuUsage();
  const sampling = { temperature: 1, numCandidates: 1, seed, choice: 0 };
  const request = { promptTokens, maxTokens: chunkSize, minTokens: 0, sampling, stopTokenIds: [] };
  for await (const _ of engine.submit(request));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

async function askBoth(prompt, seed, book) {
  const order = seed % 2 === 0 ? [0, 1] : [1, 0];
  const ms = [];
  for (const which of order) ms[which] = await cpuOfFirstChunk(models[which], prompt, seed);
  book.push(ms);
}

function row(name, book) {
  const [withMs, withoutMs, ratio] = [([a]) => a, ([, b]) => b, ([a, b]) => a / b].map(read =>
    median(book.map(read)),
  );
  return `| ${name} | ${book.length} | ${withMs.toFixed(1)} | ${withoutMs.toFixed(1)} | **${ratio.toFixed(3)}** |`;
}

const length = Number(options['prefix-tokens']);
for (let i = 0; i < 2; i += 1) await askBoth(randomIds(length, 900 + i), i, []);
const [cold, warm] = [[], []];
const prefix = randomIds(length, 1);
const prompt = ending => [...prefix, ...randomIds(ending, 5000 + ending)];
for (let residue = 0; residue < chunkSize; residue += 1)
  await askBoth(prompt(requests + 1 + residue), residue, cold);
for (let ending = 1; ending <= requests; ending += 1) await askBoth(prompt(ending), ending, warm);
// More strangers, as one prompt at each alignment is little to say what storing costs.
for (let i = 0; cold.length < 8; i += 1) await askBoth(randomIds(length, 2000 + i), i, cold);
for (const one of opened) await one[Symbol.asyncDispose]();

console.log(
  `${options.model.split('/').at(-1)}, K = ${chunkSize}, prefix of ${length} tokens, CPU time to the first chunk:\n`,
);
console.log('| prompts | requests | with the cache, ms | without, ms | ratio |');
console.log('|---|---|---|---|---|');
console.log(row('cold: computed and stored', cold));
console.log(row('warm', warm));
