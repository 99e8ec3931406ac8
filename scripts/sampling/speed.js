/**
 * Tokens a second in batches at several temperatures, beside the reference's algorithm, all in one run, and the draws
 * beside what the laws need. Texts stop at their end as a user's do, and those that run into a loop are left out. Each
 * setting is timed several times, in turn, and the fastest counts: others use the machine too.
 */
import { expectedDrawsOfText } from './expected-draws.js';
import { inParallel, mean, openModel, percent, printHeader, printRow, quantile, sum } from './open-model.js';
import { watchDecisions, writeText } from './own-texts.js';
import { PoolSource } from './pools.js';

/**
 * The reference draws all N candidates and decodes every one of them in full before it looks at any; so does a pool
 * above T = 1, through the same graphs, of a model that decodes whole candidates only.
 */
const REFERENCE = { temperature: 2, sampler: 'pool', temperatureLaw: 'chunk' };
const LONGEST_OPENING = 16;
/** Texts for each row of a batch, so that rows which end early have others behind them. */
const TEXTS_PER_ROW = 2;

export async function measureSpeed(options) {
  const { documents, batches, candidates, temperatures } = options;
  const settings = temperatures.flatMap(temperature =>
    (temperature === 1 ? ['chunk'] : ['chunk', 'token']).map(temperatureLaw => ({
      temperature,
      temperatureLaw,
      numCandidates: candidates,
    })),
  );
  const reference = { ...REFERENCE, numCandidates: candidates };
  const surveyed = documents ? await survey(options, settings) : null;
  const rows = [];
  for (const batch of batches)
    rows.push(...(await measureBatch(options, batch, settings, reference, surveyed)));
  printSpeed(rows);
  if (surveyed) printDraws(rows);
  return rows;
}

/** How many texts a batch writes. */
const textCount = (openings, batch) => Math.max(openings, batch === 1 ? 1 : TEXTS_PER_ROW * batch);

/** Writes every setting's texts once: which of them loop, and what draws their chunks need. */
async function survey(options, settings) {
  const { directory, threads, documents, chunks, openings, batches, candidates, pools } = options;
  const count = Math.max(...batches.map(batch => textCount(openings, batch)));
  const opened = openModel(directory, { slots: Math.min(16, count), threads });
  const source = pools > 0 ? new PoolSource(directory, { threads }) : null;
  const surveyed = new Map();
  for (const setting of settings) {
    process.stderr.write(
      `a survey of T = ${setting.temperature.toFixed(2)}, ${setting.temperatureLaw} law\n`,
    );
    const texts = await inParallel(count, 16, seed =>
      writeText(opened, openingOf(opened, documents, seed), seed, chunks, setting),
    );
    const needsMany = setting.temperature > 0 && setting.temperature < 1;
    for (const text of texts) {
      if (text.isLoop || !needsMany || source === null) continue;
      text.expected = await expectedDrawsOfText(source, text, setting, { limit: candidates, pools });
    }
    surveyed.set(setting, texts);
  }
  source?.close();
  await opened.close();
  return surveyed;
}

/** An opening of a held-out text; where there is none, ids spread over the vocabulary. */
function openingOf({ manifest }, documents, i) {
  if (documents) return documents[i % documents.length].slice(0, LONGEST_OPENING);
  return Array.from(
    { length: LONGEST_OPENING },
    (_, j) => ((i + 1) * 48271 * (j + 7919)) % (manifest.vocab_size - 2),
  );
}

async function measureBatch(options, batch, settings, reference, surveyed) {
  const { directory, documents, threads, chunks, openings, rounds } = options;
  const opened = openModel(directory, { slots: batch, threads });
  const openedWhole = openModel(directory, { slots: batch, threads, partialDraw: false });
  const watches = new Map([opened, openedWhole].map(each => [each, watchDecisions(each.model)]));
  const all = Array.from({ length: textCount(openings, batch) }, (_, seed) => ({
    seed,
    opening: openingOf(opened, documents, seed),
  }));
  const best = new Map();
  for (let round = 0; round < rounds; round += 1) {
    for (const setting of [...settings, reference]) {
      process.stderr.write(`batch ${batch}, round ${round + 1}: T = ${setting.temperature.toFixed(2)}\n`);
      const written = surveyed?.get(setting)?.slice(0, all.length) ?? all;
      const texts = written.filter(text => !text.isLoop);
      if (texts.length === 0) {
        process.stderr.write('every text of this setting runs into a loop: left out\n');
        continue;
      }
      const measuredModel = setting === reference ? openedWhole : opened;
      const watch = watches.get(measuredModel);
      const measured = await measureOnce(measuredModel, watch, texts, { batch, chunks, setting });
      measured.loops = written.length - texts.length;
      const before = best.get(setting);
      if (!before || measured.tokensPerSecond > before.tokensPerSecond) best.set(setting, measured);
    }
  }
  await opened.close();
  await openedWhole.close();
  const plain = best.get(settings[0]);
  const published = best.get(reference);
  // The fused step brings one candidate along; what it costs without is the backbone.
  const candidateMs = published.candidateMs;
  const r = candidateMs / Math.max(0, plain.decodeMsPerChunk - candidateMs);
  return [...best].map(([setting, measured]) => {
    const ofPlain = measured.tokensPerSecond / plain.tokensPerSecond;
    return {
      batch,
      temperature: setting.temperature,
      law: setting === reference ? 'reference' : setting.temperatureLaw,
      ...measured,
      ofPlain,
      overReference: measured.tokensPerSecond / published.tokensPerSecond,
      r,
      kept: (ofPlain * (1 + measured.windowDraws * r)) / (1 + r),
    };
  });
}

/**
 * Writes texts, `batch` at a time, each row's next one as soon as it ends. The clock runs from the moment when all rows
 * decode until the first row has nothing left to do; the draws are those of all texts.
 */
async function measureOnce(opened, watch, texts, { batch, chunks, setting }) {
  const { engine, K, manifest } = opened;
  const rows = Math.min(batch, texts.length);
  watch.take();
  let next = 0;
  let started = 0;
  let begin = null;
  let end = null;
  const stamp = () => ({ stats: engine.stats(), ms: performance.now() });
  const writeAll = async () => {
    let isFirst = true;
    while (next < texts.length) {
      const { opening, seed } = texts[next++];
      const request = {
        promptTokens: opening,
        maxTokens: chunks * K,
        minTokens: 0,
        stopTokenIds: manifest.eos_token_ids ?? [],
        sampling: { ...setting, seed, choice: 0 },
      };
      for await (const _ of engine.submit(request)) {
        if (isFirst) started += 1;
        isFirst = false;
        if (started === rows) begin ??= stamp();
      }
    }
    begin ??= stamp();
    end ??= stamp();
  };
  await Promise.all(Array.from({ length: rows }, writeAll));
  const decisions = watch.take();
  const between = key => end.stats[key] - begin.stats[key];
  const further = between('draws') - between('generatedChunks');
  return {
    ...drawsOf(decisions, texts),
    texts: texts.length,
    tokensPerSecond: (1000 * between('generatedTokens')) / (end.ms - begin.ms),
    decodeMsPerChunk: between('decodeMs') / between('generatedChunks'),
    candidateMs: further > 0 ? between('drawMs') / further : 0,
    windowDraws: between('draws') / between('generatedChunks'),
  };
}

/** Draws of decisions, fetched and needed, and what the laws need in the same places where that is known. */
function drawsOf(decisions, texts) {
  const draws = decisions.map(decision => decision.draws);
  const fetched = mean(draws);
  const needed = mean(decisions.map(decision => decision.needed));
  const expectedOf = kind => {
    const totals = texts.map(text => text.expected?.[kind] ?? null);
    return totals.includes(null) ? null : sum(totals) / decisions.length;
  };
  const variance = mean(draws.map(count => (count - fetched) ** 2));
  return {
    draws: fetched,
    p95: quantile(draws, 0.95),
    fallbacks: mean(decisions.map(decision => Number(decision.fallback))),
    needed,
    expected: expectedOf('simulated'),
    expectedByFormula: expectedOf('formula'),
    standardError: Math.sqrt(variance / decisions.length),
  };
}

const nameOf = row => (row.law === 'reference' ? 'any' : row.temperature.toFixed(2));

function printSpeed(rows) {
  console.log(
    '\nTokens a second. r is the cost of a candidate over a backbone step, D the draws a chunk, and "kept" the rate over ' +
      '(1 + r) / (1 + D r) of the rate at T = 1: below 100 % what scheduling loses. Texts stop at their end; those in ' +
      'which 8 tokens in a row come three times are loops and left out.\n',
  );
  printHeader([
    ...['batch', 'law', 'T', 'texts', 'loops', 'tokens/s', 'of T = 1', 'over the reference', 'r', 'D'],
    ...['p95', 'fallbacks', 'kept'],
  ]);
  for (const row of rows) {
    printRow([
      row.batch,
      row.law,
      nameOf(row),
      row.texts,
      row.loops,
      row.tokensPerSecond.toFixed(0),
      percent(row.ofPlain),
      row.overReference.toFixed(2),
      row.r.toFixed(3),
      row.draws.toFixed(1),
      row.p95,
      percent(row.fallbacks),
      percent(row.kept),
    ]);
  }
}

function printDraws(rows) {
  console.log(
    '\nDraws beside what the laws need in the same places, at most N: by formula from the collisions of pools (chunk law), ' +
      'and by decisions on fresh draws, read one at a time. "Fetched" counts what rounds brought, "needed" what was read. ' +
      'The last two columns are to be at most 1.1; the errors are those of the draws of so many chunks.\n',
  );
  printHeader([
    ...['batch', 'law', 'T', 'fetched (D)', 'needed', 'fetched / needed'],
    ...['expected, formula', 'expected, simulated', 'D / formula', 'D / simulated'],
  ]);
  for (const row of rows.filter(({ expected }) => expected !== null)) {
    const over = expected =>
      expected === null
        ? ''
        : `${(row.draws / expected).toFixed(2)} ± ${(row.standardError / expected).toFixed(2)}`;
    printRow([
      row.batch,
      row.law,
      nameOf(row),
      row.draws.toFixed(1),
      row.needed.toFixed(1),
      (row.draws / row.needed).toFixed(3),
      row.expectedByFormula?.toFixed(1) ?? '',
      row.expected.toFixed(1),
      over(row.expectedByFormula),
      over(row.expected),
    ]);
  }
}
