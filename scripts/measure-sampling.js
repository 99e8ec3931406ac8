/**
 * The tables of docs/sampling.md: what the sampler costs on a model, how often it falls back, and how its choices
 * read. Prints Markdown.
 *
 *   npm run build && node scripts/measure-sampling.js --model models/stories --data valid.txt
 *
 * `--data` is text whose documents are separated by lines of <|endoftext|>, unseen in training.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Engine } from '../dist/runtime/engine.js';
import { loadModel } from '../dist/runtime/load-model.js';
import { openPackage, packageFile } from '../dist/runtime/open-package.js';
import { OrtEnvironment } from '../dist/runtime/ort/environment.js';
import { OrtLibrary } from '../dist/runtime/ort/library.js';
import { openEncoding } from '../dist/tokenizer/encoding.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string' },
    contexts: { type: 'string', default: '200' },
    openings: { type: 'string', default: '8' },
    chunks: { type: 'string', default: '50' },
    threads: { type: 'string', default: '1' },
  },
});
const N = 200;
const SETTINGS = [
  { temperature: 1 },
  ...['chunk', 'token'].flatMap(temperatureLaw =>
    [0.9, 0.7, 0.6, 0.5, 1 / 3, 0].map(temperature => ({ temperature, temperatureLaw, sampler: 'auto' })),
  ),
  { temperature: 0.5, temperatureLaw: 'chunk', sampler: 'pool' },
  { temperature: 1 / 3, temperatureLaw: 'chunk', sampler: 'pool' },
  // The reference draws and decodes all 200; a pool above T = 1 costs the same.
  { temperature: 1.5, temperatureLaw: 'chunk', sampler: 'pool' },
];

const source = openPackage(options.model);
const { manifest } = source;
const { file, pattern, special_tokens: specialTokens } = manifest.tokenizer;
const encoding = openEncoding({ ranks: readFileSync(packageFile(source, file)), pattern, specialTokens });
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: Number(options.threads) });
const { model } = loadModel(environment, source, { slots: 1, device: 'cpu' });
const engine = new Engine(model, { bosTokenId: manifest.bos_token_id });
const K = model.chunkSize;
const documents = readFileSync(options.data, 'utf8')
  .split('<|endoftext|>')
  .map(text => encoding.encode(text.trim()))
  .filter(ids => ids.length > 60);

/** Chunks of one text: token ids, draws, fallback and the time of each. */
async function generate(promptTokens, chunks, setting, seed) {
  const sampling = { numCandidates: N, seed, choice: 0, ...setting };
  const request = { promptTokens, maxTokens: chunks * K, minTokens: 0, sampling, stopTokenIds: [] };
  const events = [];
  for await (const event of engine.submit(request)) events.push(event);
  return events;
}

const mean = values => values.reduce((a, b) => a + b, 0) / values.length;
const quantile = (values, q) => values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))];
const name = ({ temperature, temperatureLaw, sampler }) =>
  temperature === 1 ? 'plain draw' : `${temperatureLaw}, ${sampler}`;
const row = cells => console.log(`| ${cells.join(' | ')} |`);
const percent = share => `${(100 * share).toFixed(1)} %`;

const contexts = Array.from({ length: Number(options.contexts) }, (_, i) => {
  const ids = documents[i % documents.length];
  const cut = 16 + ((i * 37) % (ids.length - 24));
  return { prompt: ids.slice(Math.max(0, cut - 96), cut), truth: ids.slice(cut, cut + K) };
});

console.log(
  `${manifest.name}, K = ${K}, N = ${N}, ${manifest.weight_type} weights, ${options.threads} thread\n`,
);
console.log(
  `One chunk after each of ${contexts.length} held-out contexts, and own text from held-out openings:\n`,
);
row([
  'T',
  'law, sampler',
  'draws',
  'p95',
  'fallback',
  'first token right',
  'chunk right',
  'own text: draws',
  'p95',
  'fallback',
  'tokens/s',
]);
row(Array(11).fill('---'));
for (const setting of SETTINGS) {
  const chosen = [];
  for (const [i, { prompt, truth }] of contexts.entries()) {
    const [event] = await generate(prompt, 1, setting, i);
    const right = event.tokens.map((token, k) => token === truth[k]);
    chosen.push({ ...event, first: Number(right[0]), whole: Number(right.every(Boolean)) });
  }
  const own = [];
  let elapsedMs = 0;
  for (let i = 0; i < Number(options.openings); i += 1) {
    const events = await generate(documents[i].slice(0, 8), Number(options.chunks), setting, i);
    own.push(...events.slice(1));
    elapsedMs += events.at(-1).timing.elapsedMs - events[0].timing.elapsedMs;
  }
  row([
    setting.temperature.toFixed(2),
    name(setting),
    mean(chosen.map(event => event.draws)).toFixed(1),
    quantile(
      chosen.map(event => event.draws),
      0.95,
    ),
    percent(mean(chosen.map(event => Number(event.fallback)))),
    percent(mean(chosen.map(event => event.first))),
    percent(mean(chosen.map(event => event.whole))),
    mean(own.map(event => event.draws)).toFixed(1),
    quantile(
      own.map(event => event.draws),
      0.95,
    ),
    percent(mean(own.map(event => Number(event.fallback)))),
    ((own.length * K) / (elapsedMs / 1000)).toFixed(0),
  ]);
}

console.log('\nUnedited, the same opening and seed:\n');
const opening = documents[3].slice(0, 8);
for (const setting of SETTINGS.filter(({ temperature }) => [1, 0.7, 0.5, 1 / 3, 0].includes(temperature))) {
  const events = await generate(opening, 40, setting, 11);
  const text = encoding.decode([...opening, ...events.flatMap(event => event.tokens)]);
  const draws = mean(events.map(event => event.draws)).toFixed(0);
  console.log(
    `- **T = ${setting.temperature.toFixed(2)}, ${name(setting)}, ${draws} draws a chunk**: ${text.replaceAll(/\s+/g, ' ')}`,
  );
}
await engine.close();
encoding.close();
environment.close();
