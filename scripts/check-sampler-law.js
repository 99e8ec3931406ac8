/**
 * The sampler's laws on a real model, through the engine: chunks drawn plainly after some held-out contexts give P, and
 * others, drawn at T = 1, with `exact` below it and with `auto`, are tested against what P^(1/T) / Z says under both
 * laws. Prints Markdown; ends with status 1 where a law is missed.
 *
 *   npm run build && nice node scripts/check-sampler-law.js --model models/stories-k2 --data valid.txt
 *
 * Contexts are taken whose chunk collision lies between `--collision` and 0.6 and whose two laws are `--apart`: where
 * nothing repeats there is nothing to test, and where one chunk has all there is no law. In flat contexts a chunk at T = 0.7 takes
 * thousands of draws; `--warm` draws fewer there. P is itself an estimate, so an outcome's expected count has noise of its
 * own, which the statistic accounts for to first order (1/T times the relative error of P's count).
 */
import { parseArgs } from 'node:util';
import {
  cutContexts,
  generate,
  inParallel,
  mean,
  openModel,
  percent,
  printHeader,
  printRow,
  readDocuments,
  sum,
} from './sampling/open-model.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string' },
    contexts: { type: 'string', default: '4' },
    /** Plain draws a context, for P. */
    plain: { type: 'string', default: '30000' },
    /** Chunks of each setting, over all contexts. */
    chunks: { type: 'string', default: '20000' },
    temperatures: { type: 'string', default: '0.5,0.333,0.7' },
    /** Chunks at temperatures between 1/2 and 1. */
    warm: { type: 'string', default: '1000' },
    /** Least chunk collision of a context. */
    collision: { type: 'string', default: '0.06' },
    /** Least distance of the two laws at T = 1/2 after a context. */
    apart: { type: 'string', default: '0.2' },
    threads: { type: 'string', default: '1' },
  },
});
const ROWS = 16;
/** Contexts that are looked at until there are enough. */
const LOOKED_AT = 400;
/** Standard deviations that a right law exceeds with probability 1e-4 or so: chi-square's tail is longer than normal. */
const LARGEST_Z = 5;

const { engine, encoding, manifest, K, close } = openModel(options.model, {
  slots: ROWS,
  threads: Number(options.threads),
});
if (K !== 2) throw new Error('the token law is written out for K = 2 only');
const documents = readDocuments(options.data, encoding);
let nextSeed = 1;

/** Counts of the chunks of `count` independent requests; those at the sampler's limit are counted apart. */
async function sample(prompt, count, sampling) {
  const firstSeed = nextSeed;
  nextSeed += count;
  const result = { counts: new Map(), draws: 0, fallbacks: 0, undecided: 0 };
  await inParallel(count, ROWS, async i => {
    try {
      const [event] = await generate(engine, K, prompt, 1, { ...sampling, seed: firstSeed + i });
      const key = event.tokens.join();
      result.counts.set(key, (result.counts.get(key) ?? 0) + 1);
      result.draws += event.draws;
      result.fallbacks += Number(event.fallback);
    } catch (error) {
      if (error.code !== 'sampler_limit') throw error;
      result.undecided += 1;
    }
  });
  return result;
}

const normalized = weights => {
  const total = sum(weights.values());
  return new Map([...weights].map(([key, weight]) => [key, weight / total]));
};
const collision = counts => {
  const n = sum(counts.values());
  return sum([...counts.values()].map(c => (c * (c - 1)) / (n * (n - 1))));
};

/** P^(1/T) / Z of whole chunks, or of one token after the other. */
function lawOf(P, temperature, temperatureLaw) {
  const nearest = Math.round(1 / temperature);
  // As the sampler does: a temperature within 0.5 % of 1/n is 1/n.
  const exponent = Math.abs(temperature * nearest - 1) <= 0.005 ? nearest : 1 / temperature;
  const power = p => p ** exponent;
  if (temperatureLaw === 'chunk') return normalized(new Map([...P].map(([key, p]) => [key, power(p)])));
  const firstOf = key => key.split(',')[0];
  const first = new Map();
  for (const [key, p] of P) first.set(firstOf(key), (first.get(firstOf(key)) ?? 0) + p);
  const firstLaw = normalized(new Map([...first].map(([token, p]) => [token, power(p)])));
  const below = new Map();
  const weights = new Map();
  for (const [key, p] of P) {
    const token = firstOf(key);
    weights.set(key, power(p / first.get(token)));
    below.set(token, (below.get(token) ?? 0) + weights.get(key));
  }
  return new Map(
    [...weights].map(([key, weight]) => [
      key,
      (firstLaw.get(firstOf(key)) * weight) / below.get(firstOf(key)),
    ]),
  );
}

/** Chi-square over outcomes that are expected 20 times or more, and the cells it has. */
function chiSquare(counts, law, plain, temperature) {
  const total = sum(counts.values());
  let statistic = 0;
  let cells = 0;
  for (const [key, q] of law) {
    const expected = q * total;
    if (expected < 20) continue;
    const noise = (expected / temperature) ** 2 / plain.get(key);
    statistic += ((counts.get(key) ?? 0) - expected) ** 2 / (expected * (1 - q) + noise);
    cells += 1;
  }
  return { statistic, cells };
}

/** Half the sum of absolute differences over the outcomes that are expected 20 times or more, and over the rest as one. */
function distance(counts, law) {
  const total = sum(counts.values());
  const frequent = [...law].filter(([, q]) => q * total >= 20);
  const seen = frequent.map(([key]) => (counts.get(key) ?? 0) / total);
  const rest = Math.abs(1 - sum(seen) - (1 - sum(frequent.map(([, q]) => q))));
  return (rest + sum(frequent.map(([, q], i) => Math.abs(seen[i] - q)))) / 2;
}

const contexts = [];
for (const { prompt } of cutContexts(documents, LOOKED_AT, K, 24)) {
  if (contexts.length === Number(options.contexts)) break;
  const { counts } = await sample(prompt, 400, { temperature: 1 });
  const s = collision(counts);
  if (s < Number(options.collision) || s > 0.6) continue;
  const P = normalized(counts);
  const [chunkLaw, tokenLaw] = ['chunk', 'token'].map(law => lawOf(P, 0.5, law));
  const apart = sum([...chunkLaw].map(([key, q]) => Math.abs(q - tokenLaw.get(key)))) / 2;
  if (apart > Number(options.apart)) contexts.push({ prompt });
}
if (contexts.length === 0) {
  throw new Error(
    `none of ${LOOKED_AT} contexts has a collision of ${options.collision} and laws ${options.apart} apart; try less of either`,
  );
}
for (const context of contexts) {
  context.plain = (await sample(context.prompt, Number(options.plain), { temperature: 1 })).counts;
  context.P = normalized(context.plain);
}
console.log(
  `${manifest.name}, ${manifest.weight_type} weights: ${options.chunks} chunks a setting (${options.warm} between T = 0.5 and 1) over ${contexts.length} contexts, ` +
    `${options.plain} plain draws each for P.\n`,
);
for (const { prompt, plain } of contexts) {
  console.log(`- S_2 = ${collision(plain).toFixed(3)}: ${JSON.stringify(encoding.decode(prompt))}`);
}
console.log();

const settings = [
  { temperature: 1 },
  ...['chunk', 'token'].flatMap(temperatureLaw =>
    options.temperatures
      .split(',')
      .map(Number)
      .map(temperature => ({ temperature, temperatureLaw, sampler: 'exact' })),
  ),
  // With few candidates most decisions are fallbacks, and the bound is put to the test.
  ...[50, 6].flatMap(numCandidates =>
    ['chunk', 'token'].map(temperatureLaw => ({
      temperature: 0.5,
      temperatureLaw,
      sampler: 'auto',
      numCandidates,
    })),
  ),
];
const format = z => z.toFixed(1);
let isRight = true;
printHeader([
  'T',
  'drawn',
  'z against the chunk law',
  'z against the token law',
  'cells',
  'distance from its law',
  'fallbacks',
  'draws',
  'at the limit',
]);
for (const setting of settings) {
  const results = [];
  for (const context of contexts) {
    const isWarm = setting.temperature > 0.5 && setting.temperature < 1;
    const count = Math.round(Number(isWarm ? options.warm : options.chunks) / contexts.length);
    const drawn = await sample(context.prompt, count, setting);
    const laws = ['chunk', 'token'].map(law => lawOf(context.P, setting.temperature, law));
    const own = laws[setting.temperatureLaw === 'token' ? 1 : 0];
    results.push({
      ...drawn,
      count,
      tests: laws.map(law => chiSquare(drawn.counts, law, context.plain, setting.temperature)),
      distance: distance(drawn.counts, own),
    });
  }
  const zs = [0, 1].map(law => {
    const statistic = sum(results.map(({ tests }) => tests[law].statistic));
    const cells = sum(results.map(({ tests }) => tests[law].cells));
    return { z: (statistic - cells) / Math.sqrt(2 * cells), cells };
  });
  const own = zs[setting.temperatureLaw === 'token' ? 1 : 0];
  const share = sum(results.map(({ fallbacks }) => fallbacks)) / sum(results.map(({ count }) => count));
  const far = mean(results.map(result => result.distance));
  // The noise of a distance over so many cells: half a standard deviation of each, and P's own.
  const noise = mean(
    results.map(
      ({ count, tests }) =>
        1.5 * Math.sqrt(tests[0].cells + 1) * Math.sqrt(1 / count + 4 / Number(options.plain)),
    ),
  );
  isRight &&= setting.sampler === 'auto' ? far <= share + noise : own.z < LARGEST_Z;
  printRow([
    setting.temperature.toFixed(2),
    setting.temperature === 1
      ? 'plain'
      : `${setting.sampler}, ${setting.temperatureLaw} law${setting.numCandidates ? `, N = ${setting.numCandidates}` : ''}`,
    ...zs.map(({ z }) => format(z)),
    own.cells,
    `${far.toFixed(3)} ± ${noise.toFixed(3)}`,
    percent(share),
    mean(results.map(({ draws, count }) => draws / count)).toFixed(1),
    sum(results.map(({ undecided }) => undecided)),
  ]);
}
console.log(`\n${isRight ? 'Every law holds.' : 'A law is missed.'}`);
await close();
process.exitCode = isRight ? 0 : 1;
