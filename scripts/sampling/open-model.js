/** A package with its tokenizer and an engine, for the scripts that measure the sampler. */
import { readFileSync } from 'node:fs';
import { Engine } from '../../dist/runtime/engine.js';
import { loadModel } from '../../dist/runtime/load-model.js';
import { openPackage, packageFile } from '../../dist/runtime/open-package.js';
import { OrtEnvironment } from '../../dist/runtime/ort/environment.js';
import { OrtLibrary } from '../../dist/runtime/ort/library.js';
import { openEncoding } from '../../dist/tokenizer/encoding.js';

/** Opens a package; `slots` rows decode at once. `close` closes everything. */
export function openModel(directory, { slots = 1, threads = 1, ...options } = {}) {
  const source = openPackage(directory);
  const { manifest } = source;
  const encoding = manifest.tokenizer ? openTokenizer(source) : null;
  const environment = OrtEnvironment.open(OrtLibrary.load(), { threads });
  const { model } = loadModel(environment, source, { slots, device: 'cpu', ...options });
  const engine = new Engine(model, { bosTokenId: manifest.bos_token_id, prefixCacheBytes: 64 << 20 });
  return {
    manifest,
    encoding,
    model,
    engine,
    K: model.chunkSize,
    async close() {
      await engine.close();
      encoding?.close();
      environment.close();
    },
  };
}

function openTokenizer(source) {
  const { file, pattern, special_tokens: specialTokens } = source.manifest.tokenizer;
  return openEncoding({ ranks: readFileSync(packageFile(source, file)), pattern, specialTokens });
}

/** The chunk events of one text. Its length stops it, and these tokens. */
export async function generate(engine, K, promptTokens, chunks, sampling, stopTokenIds = []) {
  const request = {
    promptTokens,
    maxTokens: chunks * K,
    minTokens: 0,
    stopTokenIds,
    sampling: { numCandidates: 200, seed: 0, choice: 0, ...sampling },
  };
  const events = [];
  for await (const event of engine.submit(request)) events.push(event);
  return events;
}

/** Calls `work(i)` for i = 0 .. count - 1, `width` at a time; the results in order. */
export async function inParallel(count, width, work) {
  const results = new Array(count);
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const i = next++;
      results[i] = await work(i);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

/** Documents of a text file, as token ids; a line of <|endoftext|> separates them. */
export function readDocuments(file, encoding, leastTokens = 60) {
  return readFileSync(file, 'utf8')
    .split('<|endoftext|>')
    .map(text => encoding.encode(text.trim()))
    .filter(ids => ids.length > leastTokens);
}

/** Contexts cut out of documents at many places, with the tokens that follow: { prompt, truth }. */
export function cutContexts(documents, count, K, longest = 96) {
  return Array.from({ length: count }, (_, i) => {
    const ids = documents[i % documents.length];
    const cut = 16 + ((i * 37) % (ids.length - 24));
    return { prompt: ids.slice(Math.max(0, cut - longest), cut), truth: ids.slice(cut, cut + K) };
  });
}

export const sum = values => [...values].reduce((a, b) => a + b, 0);
export const mean = values => sum(values) / values.length;
export const quantile = (values, q) => values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))];
export const percent = share => `${(100 * share).toFixed(1)} %`;
export const printRow = cells => console.log(`| ${cells.join(' | ')} |`);
export const printHeader = cells => {
  printRow(cells);
  printRow(cells.map(() => '---'));
};
