/**
 * Tokens a second in batches at several temperatures, beside the reference's algorithm, all in one run. Each setting is
 * timed several times, in turn, and the fastest counts: others use the machine too.
 */
import { openModel, percent, printHeader, printRow } from './open-model.js';

/**
 * The reference draws all N candidates and decodes every one of them in full before it looks at any; so does a pool
 * above T = 1, through the same graphs, of a model that decodes whole candidates only.
 */
const REFERENCE = { temperature: 2, sampler: 'pool', temperatureLaw: 'chunk', isReference: true };

export async function measureSpeed(options) {
  const { directory, documents, threads, batches, chunks, candidates, temperatures, rounds } = options;
  const rows = [];
  console.log(
    '\nTokens a second. r is the cost of a candidate over a backbone step, D the draws a chunk, and "kept" the rate over ' +
      '(1 + r) / (1 + D r) of the rate at T = 1: below 100 % what scheduling loses.\n',
  );
  printHeader([
    'batch',
    'law',
    'T',
    'tokens/s',
    'of T = 1',
    'over the reference',
    'r',
    'D',
    'fallbacks',
    'kept',
  ]);
  for (const batch of batches) {
    const opened = openModel(directory, { slots: batch, threads });
    const openedForReference = openModel(directory, { slots: batch, threads, partialDraw: false });
    const prompts = Array.from({ length: batch }, (_, i) => promptOf(opened, documents, i));
    const settings = [
      ...temperatures.flatMap(temperature =>
        (temperature === 1 ? ['chunk'] : ['chunk', 'token']).map(temperatureLaw => ({
          temperature,
          temperatureLaw,
        })),
      ),
      REFERENCE,
    ];
    const best = new Map();
    for (let round = 0; round < rounds; round += 1) {
      for (const setting of settings) {
        const model = setting.isReference ? openedForReference : opened;
        const measured = await measureOnce(model, prompts, chunks, {
          ...setting,
          numCandidates: candidates,
        });
        const before = best.get(setting);
        if (!before || measured.tokensPerSecond > before.tokensPerSecond) best.set(setting, measured);
      }
    }
    const plain = best.get(settings[0]);
    const reference = best.get(REFERENCE);
    // The fused step brings one candidate along; what it costs without is the backbone.
    const candidateMs = reference.candidateMs;
    const backboneMs = Math.max(0, plain.decodeMsPerChunk - candidateMs);
    const r = candidateMs / backboneMs;
    for (const [setting, measured] of best) {
      const predicted = (1 + r) / (1 + measured.draws * r);
      const ofPlain = measured.tokensPerSecond / plain.tokensPerSecond;
      const row = {
        batch,
        temperature: setting.temperature,
        law: setting.isReference ? 'reference' : setting.temperatureLaw,
        tokensPerSecond: measured.tokensPerSecond,
        ofPlain,
        overReference: measured.tokensPerSecond / reference.tokensPerSecond,
        r,
        draws: measured.draws,
        fallbacks: measured.fallbacks,
        kept: ofPlain / predicted,
      };
      rows.push(row);
      printRow([
        batch,
        row.law,
        setting.isReference ? 'any' : row.temperature.toFixed(2),
        row.tokensPerSecond.toFixed(0),
        percent(ofPlain),
        row.overReference.toFixed(2),
        r.toFixed(3),
        row.draws.toFixed(1),
        percent(row.fallbacks),
        percent(row.kept),
      ]);
    }
    await opened.close();
    await openedForReference.close();
  }
  return rows;
}

/** An opening of a held-out text; where there is none, ids spread over the vocabulary. */
function promptOf({ manifest }, documents, i) {
  if (documents) return documents[i % documents.length].slice(0, 16);
  return Array.from({ length: 16 }, (_, j) => ((i + 1) * 48271 * (j + 7919)) % (manifest.vocab_size - 2));
}

/** Times a full batch: from the moment when all rows decode until the first text ends. */
async function measureOnce({ engine, K }, prompts, chunks, sampling) {
  const abort = new AbortController();
  let started = 0;
  let begin = null;
  let end = null;
  const read = async (promptTokens, seed) => {
    const request = {
      promptTokens,
      maxTokens: chunks * K,
      minTokens: 0,
      stopTokenIds: [],
      sampling: { seed, choice: 0, ...sampling },
    };
    let isFirst = true;
    for await (const _ of engine.submit(request, abort.signal)) {
      if (isFirst) started += 1;
      isFirst = false;
      if (started === prompts.length) begin ??= { stats: engine.stats(), ms: performance.now() };
    }
    end ??= { stats: engine.stats(), ms: performance.now() };
    abort.abort();
  };
  await Promise.all(
    prompts.map((prompt, seed) =>
      read(prompt, seed).catch(error => {
        if (error.code !== 'aborted') throw error;
      }),
    ),
  );
  const between = key => end.stats[key] - begin.stats[key];
  const further = between('draws') - between('generatedChunks');
  return {
    tokensPerSecond: (1000 * between('generatedTokens')) / (end.ms - begin.ms),
    decodeMsPerChunk: between('decodeMs') / between('generatedChunks'),
    candidateMs: further > 0 ? between('drawMs') / further : 0,
    draws: between('draws') / between('generatedChunks'),
    fallbacks: between('fallbacks') / between('generatedChunks'),
  };
}
