/**
 * The sampler's laws on a real model, through the engine. After some contexts, chunks drawn through the engine at T = 1,
 * with `exact` and with `auto` are tested against what the laws say of P, which large pools of plain draws stand for.
 * Prints Markdown; ends with status 1 where a law is missed, or where the test could not have told the two laws apart.
 *
 *   npm run build && nice node scripts/check-sampler-law.js --model models/stories-k2 --data valid.txt
 *
 * Contexts are those of many places of held-out texts and of the model's own where the two laws lie furthest apart at every
 * temperature, and where the exact sampler needs at most `--draws` draws at the highest one (sampling/law-contexts.js).
 *
 * `exact`: chi-square over the outcomes that are expected 20 times or more, with the noise of the chunks and of the pool
 * (sampling/laws.js). It fails at p < 1e-5. `auto` may be off by its share of fallbacks: it fails where its distance
 * is larger than that, the mean of what noise adds, and sqrt(2 ln(1e5) / chunks), which both shares together exceed their
 * means by with probability 1e-5 (McDiarmid). So each row raises a false alarm with probability 1e-5.
 */
import { parseArgs } from 'node:util';
import { findContexts, writeTexts } from './sampling/law-contexts.js';
import {
  chiSquare,
  chiSquareTail,
  distanceFrom,
  frequentOutcomes,
  normalized,
  standardized,
  weightOf,
} from './sampling/laws.js';
import {
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
import { countChunks, PoolSource } from './sampling/pools.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    data: { type: 'string' },
    /** Half of them in held-out texts, half in the model's own. */
    contexts: { type: 'string', default: '4' },
    /** Texts of each kind in which contexts are looked for. */
    texts: { type: 'string', default: '30' },
    /** Plain draws a context, for P. */
    pool: { type: 'string', default: '100000' },
    /** Chunks at T = 1 and of each setting of `exact`, over all contexts. */
    chunks: { type: 'string', default: '20000' },
    /** Chunks of each setting of `auto`. */
    'auto-chunks': { type: 'string', default: '5000' },
    temperatures: { type: 'string', default: '0.5,0.333,0.7' },
    /** Most draws a chunk, in the mean, of `exact` at the highest temperature. */
    draws: { type: 'string', default: '50' },
    threads: { type: 'string', default: '1' },
  },
});
const ROWS = 32;
/** Probability with which a right sampler fails a row. */
const FALSE_ALARM = 1e-5;
/** Standard deviations by which chunks of one law must miss the other one: else the test could not tell. */
const LEAST_Z_APART = 5;
const LAWS = ['chunk', 'token'];
const LONGEST_PROMPT = 96;
/** Candidates of `auto` by default, and so few that most decisions are fallbacks, which puts the bound to the test. */
const FEW_CANDIDATES = 6;
const USUAL_CANDIDATES = 200;
/** So many that `auto` hardly ever falls back: its own law between T = 1/2 and 1 shows. */
const MANY_CANDIDATES = 4096;

const temperatures = options.temperatures.split(',').map(Number);
const chunkCount = Number(options.chunks);
const startedMs = performance.now();
const progress = text => {
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  process.stderr.write(`${seconds} s: ${text}\n`);
};

const opened = openModel(options.model, { slots: ROWS, threads: Number(options.threads) });
const { engine, encoding, manifest, K } = opened;
if (K !== 2) throw new Error('the token law is written out for K = 2 only');
const source = new PoolSource(options.model, { threads: Number(options.threads) });
let nextSeed = 1;

/** Counts of the chunks of `count` independent requests; those at the sampler's limit are counted apart. */
async function sample(prompt, count, sampling) {
  const firstSeed = nextSeed;
  nextSeed += count;
  const result = { chunks: [], draws: 0, fallbacks: 0, undecided: 0 };
  await inParallel(count, ROWS, async i => {
    try {
      const [event] = await generate(engine, K, prompt, 1, { ...sampling, seed: firstSeed + i });
      result.chunks.push(event.tokens);
      result.draws += event.draws;
      result.fallbacks += Number(event.fallback);
    } catch (error) {
      if (error.code !== 'sampler_limit') throw error;
      result.undecided += 1;
    }
  });
  return { ...result, counts: countChunks(result.chunks), count };
}

/** The law that a setting is tested against, and the one that it must be told apart from. */
function lawsOf({ temperature, temperatureLaw = 'chunk', sampler, numCandidates }) {
  const coin = sampler === 'auto' ? 'short' : 'exact';
  const own = { weight: weightOf(temperature, coin), law: temperatureLaw };
  if (temperature === 1) return { own, other: null, otherName: '' };
  if (numCandidates === MANY_CANDIDATES) {
    return { own, other: { ...own, weight: weightOf(temperature) }, otherName: '`exact`' };
  }
  const otherLaw = temperatureLaw === 'chunk' ? 'token' : 'chunk';
  return { own, other: { ...own, law: otherLaw }, otherName: `${otherLaw} law` };
}

/** Draws one setting after every context, and tests it. */
async function check(setting, contexts) {
  const total = setting.sampler === 'auto' ? Number(options['auto-chunks']) : chunkCount;
  const { own, other, otherName } = lawsOf(setting);
  const results = [];
  for (const context of contexts) {
    const drawn = await sample(context.prompt, Math.round(total / contexts.length), setting);
    const outcomes = ({ weight, law }) => frequentOutcomes(context, weight, law, drawn.count);
    results.push({
      ...drawn,
      own: chiSquare(drawn.counts, outcomes(own)),
      other: other && chiSquare(drawn.counts, outcomes(other)),
      ...distanceFrom(drawn.counts, outcomes(own)),
    });
  }
  const count = sum(results.map(result => result.count));
  const together = tests => ({
    statistic: sum(tests.map(test => test.statistic)),
    cells: sum(tests.map(test => test.cells)),
  });
  const ownTest = together(results.map(result => result.own));
  const fallbacks = sum(results.map(result => result.fallbacks)) / count;
  return {
    ...setting,
    count,
    z: standardized(ownTest),
    p: chiSquareTail(ownTest.statistic, ownTest.cells),
    cells: ownTest.cells,
    otherName,
    zOther: other && standardized(together(results.map(result => result.other))),
    distance: mean(results.map(result => result.distance)),
    noise: mean(results.map(result => result.noise)),
    margin: Math.sqrt((2 * Math.log(1 / FALSE_ALARM)) / count),
    fallbacks,
    draws: sum(results.map(result => result.draws)) / count,
    undecided: sum(results.map(result => result.undecided)),
  };
}

/** What a row says of the sampler. Where nothing fell back, `auto` has to have its law as `exact` has. */
function verdictOf({ sampler, p, zOther, distance, noise, margin, fallbacks }) {
  if (sampler === 'auto' && fallbacks > 0) {
    return distance <= fallbacks + noise + margin ? 'holds' : 'MISSED';
  }
  if (p < FALSE_ALARM) return 'MISSED';
  return sampler === 'exact' && zOther <= LEAST_Z_APART ? 'CANNOT TELL' : 'holds';
}

const documents = readDocuments(options.data, encoding, LONGEST_PROMPT);
const texts = Number(options.texts);
progress('writing texts');
const ownTexts = await writeTexts(opened, documents, { texts, tokens: LONGEST_PROMPT, rows: ROWS });
const { contexts, lookedAt } = await findContexts(
  source,
  { 'held-out': documents.slice(0, texts), own: ownTexts },
  {
    count: Number(options.contexts),
    temperatures,
    largestDraws: Number(options.draws),
    chunksEach: chunkCount / Number(options.contexts),
    longestTokens: LONGEST_PROMPT,
    onProgress: progress,
  },
);
if (contexts.length === 0) {
  throw new Error(
    `none of ${lookedAt} contexts needs ${options.draws} draws or fewer; raise --draws or --texts`,
  );
}
for (const context of contexts) {
  progress('a pool for P');
  await source.read(context.prompt);
  context.P = normalized(countChunks(await source.draw(Number(options.pool))));
  context.poolSize = Number(options.pool);
}
source.close();

const settings = [
  { temperature: 1, sampler: 'plain' },
  ...temperatures.flatMap(temperature =>
    LAWS.map(temperatureLaw => ({ temperature, temperatureLaw, sampler: 'exact' })),
  ),
  ...temperatures.flatMap(temperature =>
    [USUAL_CANDIDATES, FEW_CANDIDATES, ...(temperature > 0.5 ? [MANY_CANDIDATES] : [])].flatMap(
      numCandidates =>
        LAWS.map(temperatureLaw => ({ temperature, temperatureLaw, sampler: 'auto', numCandidates })),
    ),
  ),
];
console.log(
  `${manifest.name}, ${manifest.weight_type} weights: ${options.chunks} chunks a setting (${options['auto-chunks']} of \`auto\`) over ` +
    `${contexts.length} contexts of ${lookedAt}, ${options.pool} plain draws each for P.\n`,
);
printHeader(['context', 'its end', 'S_2', ...temperatures.map(t => `laws apart at T = ${t}`)]);
for (const { kind, prompt, collision, apart } of contexts) {
  const end = JSON.stringify(encoding.decode(prompt).slice(-60));
  printRow([kind, end, collision.toFixed(3), ...temperatures.map(t => apart.get(t).toFixed(3))]);
}
console.log();
printHeader([
  'T',
  'drawn',
  'chunks',
  'p',
  'z',
  'cells',
  'z against another law',
  'distance, of it noise',
  'fallbacks',
  'draws',
  'at the limit',
  'law',
]);
const verdicts = [];
for (const [index, setting] of settings.entries()) {
  progress(`setting ${index + 1} of ${settings.length}`);
  const row = await check(setting, contexts);
  const verdict = verdictOf(row);
  verdicts.push(verdict);
  const isBounded = row.sampler === 'auto' && row.fallbacks > 0;
  printRow([
    row.temperature.toFixed(2),
    row.sampler === 'plain'
      ? 'plain'
      : `${row.sampler}, ${row.temperatureLaw} law${row.numCandidates ? `, N = ${row.numCandidates}` : ''}`,
    row.count,
    isBounded ? '' : row.p.toPrecision(2),
    row.z.toFixed(1),
    row.cells,
    row.zOther === null ? '' : `${row.zOther.toFixed(1)} (${row.otherName})`,
    `${row.distance.toFixed(3)}, ${row.noise.toFixed(3)}`,
    percent(row.fallbacks),
    row.draws.toFixed(1),
    row.undecided,
    isBounded
      ? `${verdict}: at most ${Math.min(1, row.fallbacks + row.noise + row.margin).toFixed(3)}`
      : verdict,
  ]);
}
const failed = verdicts.filter(verdict => verdict !== 'holds').length;
console.log(
  `\n${failed === 0 ? 'Every law holds' : `${failed} rows fail`}. A right sampler fails one of the ${settings.length} rows ` +
    `with probability ${(FALSE_ALARM * settings.length).toExponential(1)} at most.`,
);
await opened.close();
process.exitCode = failed === 0 ? 0 : 1;
