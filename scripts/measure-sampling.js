/**
 * What the sampler costs on a model and how its choices read: the tables of docs/sampling.md and the figures behind its
 * pictures. Prints Markdown; `--json` writes the figures for scripts/draw-sampling.js.
 *
 *   npm run build
 *   node scripts/measure-sampling.js --model models/stories-k2 --data valid.txt --json sampling.json
 *   node scripts/measure-sampling.js --model models/stories-k2 --data valid.txt --baseline models/stories-baseline
 *   node scripts/measure-sampling.js --model /tmp/calm-m --sections speed --chunks 4      (random weights: random prompts)
 *
 * `--data` is text whose documents are separated by lines of <|endoftext|>, unseen in training. Sections: `cost` (draws
 * and fallbacks of own text), `curve` (accuracy and collision), `reference` (`pool` beside Algorithm 2 as published), `between` (ways to
 * sample between T = 1/2 and 1), `speed` (tokens a second in batches; only ratios of one
 * run mean anything), `samples`.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { noiseSourceOf } from '../dist/runtime/noise-source.js';
import { measureBetween } from './sampling/between.js';
import {
  cutContexts,
  generate,
  inParallel,
  mean,
  openModel,
  percent,
  printHeader,
  printRow,
  quantile,
  readDocuments,
} from './sampling/open-model.js';
import { PoolSource } from './sampling/pools.js';
import { measureReference } from './sampling/reference.js';
import { showSamples } from './sampling/samples.js';
import { measureSpeed } from './sampling/speed.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    baseline: { type: 'string' },
    data: { type: 'string' },
    sections: { type: 'string', default: 'cost,curve,reference,between,speed,samples' },
    contexts: { type: 'string', default: '400' },
    openings: { type: 'string', default: '16' },
    chunks: { type: 'string', default: '40' },
    batch: { type: 'string', default: '1,16' },
    threads: { type: 'string', default: '1' },
    temperatures: { type: 'string', default: '1,0.7,0.5,0.333,0' },
    rounds: { type: 'string', default: '3' },
    /** Pools of N fresh draws a chunk that say what draws the laws need in the section `speed`; 0 leaves that out. */
    pools: { type: 'string', default: '2' },
    json: { type: 'string' },
  },
});
const N = 200;
const ROWS = 16;
const LAWS = ['chunk', 'token'];
const sections = options.sections.split(',');
const threads = Number(options.threads);
const result = {};

/** Draws and fallbacks of texts that the model continues by itself from held-out openings. */
async function measureCost({ engine, K }, documents) {
  const settings = [
    { temperature: 1 },
    ...LAWS.flatMap(temperatureLaw =>
      [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 1 / 3, 0.25, 0].map(temperature => ({ temperature, temperatureLaw })),
    ),
    ...[0.5, 1 / 3].map(temperature => ({ temperature, temperatureLaw: 'chunk', sampler: 'pool' })),
  ];
  console.log(
    `\nOwn text from ${options.openings} held-out openings, ${options.chunks} chunks each, N = ${N}:\n`,
  );
  printHeader(['T', 'law, sampler', 'draws', 'p95', 'fallbacks']);
  const rows = [];
  for (const setting of settings) {
    const texts = await inParallel(Number(options.openings), ROWS, i =>
      generate(engine, K, documents[i].slice(0, 8), Number(options.chunks), {
        ...setting,
        seed: i,
        numCandidates: N,
      }),
    );
    const events = texts.flat();
    const draws = events.map(event => event.draws);
    const row = {
      ...setting,
      draws: mean(draws),
      p95: quantile(draws, 0.95),
      fallbacks: mean(events.map(event => Number(event.fallback))),
    };
    rows.push(row);
    const name =
      setting.temperature === 1 ? 'plain' : `${setting.temperatureLaw}, ${setting.sampler ?? 'auto'}`;
    printRow([row.temperature.toFixed(2), name, row.draws.toFixed(1), row.p95, percent(row.fallbacks)]);
  }
  return rows;
}

/** Geometric mean over n = 1..4 of the shares of agreeing beginnings of n tokens: the axes of the paper's section 7.5. */
function agreement(pairs) {
  const shares = [1, 2, 3, 4].map(n =>
    mean(pairs.map(([a, b]) => Number(a.slice(0, n).join() === b.slice(0, n).join()))),
  );
  return { shares, score: shares.reduce((product, share) => product * share, 1) ** (1 / 4) };
}

/** Accuracy against the text's own next four tokens, and collision of two continuations. */
async function measurePoint({ engine, K }, contexts, sampling) {
  const continuations = await inParallel(contexts.length, ROWS, async i => {
    const texts = [];
    for (const seed of [2 * i, 2 * i + 1]) {
      const events = await generate(engine, K, contexts[i].prompt, Math.ceil(4 / K), { ...sampling, seed });
      texts.push({
        tokens: events.flatMap(event => event.tokens).slice(0, 4),
        draws: events.map(e => e.draws),
      });
    }
    return texts;
  });
  const accuracy = agreement(
    continuations.flatMap((texts, i) => texts.map(({ tokens }) => [tokens, contexts[i].truth])),
  );
  const collision = agreement(continuations.map(([a, b]) => [a.tokens, b.tokens]));
  const draws = mean(continuations.flat().flatMap(text => text.draws));
  return {
    ...sampling,
    accuracy: accuracy.score,
    collision: collision.score,
    accuracies: accuracy.shares,
    draws,
  };
}

/** The head's noise, scaled: it hardly acts, because the head's LayerNorm undoes it. */
function scaledNoise(manifest, scale) {
  const fillNoise = noiseSourceOf(manifest);
  return (out, offset, size, key) => {
    fillNoise(out, offset, size, key);
    for (let i = offset; i < offset + size; i += 1) out[i] *= scale;
  };
}

async function measureCurve(opened, documents) {
  const contexts = cutContexts(documents, Number(options.contexts), 4);
  const byTemperature = [2, 1.5, 1.25, 1, 0.8, 0.6, 0.5, 0.4, 1 / 3, 0.25];
  const series = LAWS.flatMap(temperatureLaw => [
    {
      name: `${temperatureLaw} law, T = 2 to 1/4, N = ${N}`,
      settings: byTemperature.map(temperature => ({ temperature, temperatureLaw, numCandidates: N })),
    },
    {
      name: `${temperatureLaw} law, T = 1/3, N = 1 to ${N}`,
      settings: [1, 10, 25, 50, 100, N].map(numCandidates => ({
        temperature: 1 / 3,
        temperatureLaw,
        sampler: 'pool',
        numCandidates,
      })),
    },
  ]);
  const curves = [];
  console.log(
    `\nAccuracy and collision over ${contexts.length} held-out contexts, geometric means over 1 to 4 tokens:\n`,
  );
  printHeader(['series', 'T', 'N', 'draws a chunk', 'accuracy', 'collision', 'first token right']);
  const measure = async (model, name, setting) => {
    const point = await measurePoint(model, contexts, setting);
    printRow([
      name,
      point.temperature.toFixed(2),
      point.numCandidates ?? '',
      point.draws.toFixed(1),
      percent(point.accuracy),
      percent(point.collision),
      percent(point.accuracies[0]),
    ]);
    return point;
  };
  const measureAll = async (model, name, settings) => {
    const points = [];
    for (const setting of settings) points.push(await measure(model, name, setting));
    curves.push({ name, points });
  };
  for (const { name, settings } of series) await measureAll(opened, name, settings);
  const scaledPoints = [];
  for (const scale of [0.25, 0.5, 2, 4]) {
    const scaled = openModel(options.model, { slots: ROWS, threads, noise: scaledNoise(manifest, scale) });
    scaledPoints.push(await measure(scaled, `noise scaled by ${scale}`, { temperature: 1 }));
    await scaled.close();
  }
  curves.push({ name: 'T = 1, noise scaled by 1/4, 1/2, 2, 4', points: scaledPoints, isScattered: true });
  if (options.baseline) {
    const baseline = openModel(options.baseline, { slots: ROWS, threads });
    if (
      JSON.stringify(baseline.encoding.encode('Once upon a time')) !==
      JSON.stringify(opened.encoding.encode('Once upon a time'))
    )
      throw new Error('the baseline has another tokenizer, so its tokens are not comparable');
    await measureAll(
      baseline,
      'token baseline, T = 1 to 0.3',
      [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3].map(temperature => ({ temperature })),
    );
    await baseline.close();
  }
  return curves;
}

const opened = openModel(options.model, { slots: ROWS, threads });
const { manifest, K, encoding } = opened;
const documents = options.data ? readDocuments(options.data, encoding) : null;
console.log(
  `${manifest.name}, K = ${K}, ${manifest.weight_type} weights, ${threads} thread${threads > 1 ? 's' : ''}`,
);
if (sections.includes('cost')) result.cost = await measureCost(opened, documents);
if (sections.includes('curve')) result.curves = await measureCurve(opened, documents);
if (sections.includes('reference')) {
  const contexts = Number(options.contexts) / 2;
  await measureReference(opened, documents, { contexts, candidates: N, rows: ROWS });
}
if (sections.includes('between')) {
  const source = new PoolSource(options.model, { threads });
  const contexts = Math.max(40, Number(options.contexts) / 10);
  result.between = await measureBetween(source, documents, { contexts, candidates: N, poolSize: 3200 });
  source.close();
}
if (sections.includes('samples')) await showSamples(opened, documents, N);
await opened.close();
if (sections.includes('speed')) {
  result.speed = await measureSpeed({
    directory: options.model,
    documents,
    threads,
    batches: options.batch.split(',').map(Number),
    chunks: Number(options.chunks),
    openings: Number(options.openings),
    pools: Number(options.pools),
    candidates: N,
    temperatures: options.temperatures.split(',').map(Number),
    rounds: Number(options.rounds),
  });
}
if (options.json) {
  const json = {
    model: manifest.name,
    chunkSize: K,
    candidates: N,
    contexts: Number(options.contexts),
    ...result,
  };
  writeFileSync(options.json, `${JSON.stringify(json, null, 1)}\n`);
}
