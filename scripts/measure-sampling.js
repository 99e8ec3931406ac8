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
 * and fallbacks of own text), `curve` (accuracy and collision), `reference` (`pool` beside Algorithm 2 as published),
 * `between` (ways to sample between T = 1/2 and 1), `speed` (tokens a second in batches, of which only ratios within one
 * run mean anything, and draws beside what the laws need), `samples` (texts at equal cost).
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { measureBetween } from './sampling/between.js';
import { measureCurve } from './sampling/curve.js';
import {
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

const opened = openModel(options.model, { slots: ROWS, threads });
const { manifest, K, encoding } = opened;
const documents = options.data ? readDocuments(options.data, encoding) : null;
console.log(
  `${manifest.name}, K = ${K}, ${manifest.weight_type} weights, ${threads} thread${threads > 1 ? 's' : ''}`,
);
if (sections.includes('cost')) result.cost = await measureCost(opened, documents);
if (sections.includes('curve')) {
  result.curves = await measureCurve(opened, documents, {
    directory: options.model,
    baseline: options.baseline,
    contexts: Number(options.contexts),
    candidates: N,
    rows: ROWS,
    threads,
  });
}
if (sections.includes('reference') || sections.includes('between')) {
  const source = new PoolSource(options.model, { threads });
  const contexts = Number(options.contexts);
  if (sections.includes('reference')) {
    await measureReference(opened, source, documents, { contexts: contexts / 2, candidates: N });
  }
  if (sections.includes('between')) {
    const few = Math.max(40, contexts / 10);
    result.between = await measureBetween(source, documents, {
      contexts: few,
      candidates: N,
      poolSize: 3200,
    });
  }
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
