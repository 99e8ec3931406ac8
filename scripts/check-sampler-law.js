/**
 * The exact sampler's law on a real model: chunks drawn plainly after one prompt give P, and those that the exact
 * sampler draws at a temperature below 1 are tested against P^(1/T) / Z under both laws. Prints Markdown.
 *
 *   npm run build && node scripts/check-sampler-law.js --model models/stories --prompt "Once upon a"
 *
 * P is itself an estimate, so the outcome's expected count has its own noise, which the statistic accounts for to
 * first order. Take a prompt after which several chunks are frequent; a peaked law cannot tell the two laws apart.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { loadModel } from '../dist/runtime/load-model.js';
import { openPackage, packageFile } from '../dist/runtime/open-package.js';
import { OrtEnvironment } from '../dist/runtime/ort/environment.js';
import { OrtLibrary } from '../dist/runtime/ort/library.js';
import { openEncoding } from '../dist/tokenizer/encoding.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    prompt: { type: 'string' },
    plain: { type: 'string', default: '40000' },
    exact: { type: 'string', default: '4000' },
    temperature: { type: 'string', default: '0.5' },
  },
});
const ROWS = 16;
const source = openPackage(options.model);
const { manifest } = source;
const { file, pattern, special_tokens: specialTokens } = manifest.tokenizer;
const encoding = openEncoding({ ranks: readFileSync(packageFile(source, file)), pattern, specialTokens });
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 1 });
const { model } = loadModel(environment, source, { slots: ROWS, device: 'cpu' });
const K = model.chunkSize;
const ids = encoding.encode(options.prompt);
const prompt = [...Array(K - (ids.length % K)).fill(manifest.bos_token_id), ...ids];
const position = prompt.length / K - 1;
for (let slot = 0; slot < ROWS; slot += 1) {
  await model.step({ prefill: [{ slot, position: 0, tokens: prompt.slice(0, -K) }], decode: [] });
}

/** Decisions that reached the sampler's limit: they are left out, and counted. */
let undecided = 0;

/** Counts of chunks of `count` independent decisions. */
async function sample(count, firstSeed, settings) {
  const counts = new Map();
  for (let seed = firstSeed; seed < firstSeed + count; seed += ROWS) {
    const decode = Array.from({ length: ROWS }, (_, row) => ({
      position,
      chunk: prompt.slice(-K),
      step: 0,
      sampling: { numCandidates: 200, seed: seed + row, choice: 0, ...settings },
    }));
    for (const choice of (await model.step({ prefill: [], decode })).choices) {
      if (choice instanceof Error) {
        if (choice.code !== 'sampler_limit') throw choice;
        undecided += 1;
        continue;
      }
      const key = choice.chunk.join();
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return counts;
}

const sum = values => [...values].reduce((a, b) => a + b, 0);
const scaled = (weights, total = sum(weights.values())) =>
  new Map([...weights].map(([key, weight]) => [key, weight / total]));

const plain = await sample(Number(options.plain), 1, { temperature: 1 });
const P = scaled(plain);
const first = new Map();
for (const [key, p] of P) first.set(key.split(',')[0], (first.get(key.split(',')[0]) ?? 0) + p);

function lawOf(temperature, temperatureLaw) {
  const power = p => p ** (1 / temperature);
  if (temperatureLaw === 'chunk') return scaled(new Map([...P].map(([key, p]) => [key, power(p)])));
  if (K !== 2) throw new Error('the token law is written out for K = 2 only');
  const firstLaw = scaled(new Map([...first].map(([token, p]) => [token, power(p)])));
  const below = new Map();
  const weights = new Map();
  for (const [key, p] of P) {
    const token = key.split(',')[0];
    weights.set(key, power(p / first.get(token)));
    below.set(token, (below.get(token) ?? 0) + weights.get(key));
  }
  return new Map(
    [...weights].map(([key, weight]) => {
      const token = key.split(',')[0];
      return [key, (firstLaw.get(token) * weight) / below.get(token)];
    }),
  );
}

/** Chi-square over outcomes that are expected 20 times or more, the rest joined; in standard deviations from its mean. */
function deviation(counts, law, temperature) {
  const total = sum(counts.values());
  let statistic = 0;
  let cells = 0;
  const rest = { seen: total, expected: total };
  for (const [key, q] of law) {
    const expected = q * total;
    if (expected < 20) continue;
    const seen = counts.get(key) ?? 0;
    // The estimate of q varies by (1/T) times the relative error of P's count.
    const noise = (expected / temperature) ** 2 / plain.get(key);
    statistic += (seen - expected) ** 2 / (expected * (1 - q) + noise);
    rest.seen -= seen;
    rest.expected -= expected;
    cells += 1;
  }
  return { z: (statistic - cells) / Math.sqrt(2 * cells), cells, rest };
}

const collision = sum([...P.values()].map(p => p * p));
console.log(
  `${manifest.name} after ${JSON.stringify(options.prompt)}: ${options.plain} plain draws, ${P.size} chunks, S_2 = ${collision.toFixed(3)}\n`,
);
console.log(
  '| T | drawn under | z against the chunk law | z against the token law | cells |\n| --- | --- | --- | --- | --- |',
);
for (const temperature of options.temperature.split(',').map(Number)) {
  for (const temperatureLaw of ['chunk', 'token']) {
    const settings = { temperature, temperatureLaw, sampler: 'exact' };
    const counts = await sample(Number(options.exact), 10_000_001, settings);
    const results = ['chunk', 'token'].map(law => deviation(counts, lawOf(temperature, law), temperature));
    const zs = results.map(({ z }) => z.toFixed(1));
    console.log(
      `| ${temperature.toFixed(2)} | ${temperatureLaw} | ${zs[0]} | ${zs[1]} | ${results[0].cells}, ${results[1].cells} |`,
    );
  }
}
console.log(`\nDecisions that reached the limit of 65,536 draws: ${undecided}`);
model.close();
encoding.close();
environment.close();
