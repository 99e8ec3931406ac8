/**
 * How large the pieces should be in which prompts are read (`prefillChunksPerStep` of the engine): what a long prompt
 * gains from larger ones, and how long a running text then waits. Prints Markdown.
 *
 *   npm run build && node scripts/measure-prefill.js --model ./calm-m --model ./transformer-s --pieces 16,64,256
 *
 * Alone: a prompt of --prompt-tokens on an idle engine, its tokens over the time to its first chunk. Beside a text: the
 * same while another text decodes; the pause is the longest time between two chunks of that text meanwhile, and a step
 * is what it takes without the prompt. Packages and sizes take turns, every other repetition backwards; each has an
 * engine of its own that has read one such prompt before. Figures are medians with their range; "over" is within one
 * repetition. Wall time: the machine must be idle.
 */
import { parseArgs } from 'node:util';
import { Engine } from '../dist/runtime/engine.js';
import { loadModel } from '../dist/runtime/load-model.js';
import { openPackage } from '../dist/runtime/open-package.js';
import { OrtEnvironment } from '../dist/runtime/ort/environment.js';
import { OrtLibrary } from '../dist/runtime/ort/library.js';
import { promptOf } from './measure-server/serve.js';
import { median, spreadOf, spreadText } from './statistics.js';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', multiple: true, default: [] },
    /** Chunks. */
    pieces: { type: 'string', default: '16,32,64,128,256,512' },
    'prompt-tokens': { type: 'string', default: '1920' },
    repetitions: { type: 'string', default: '3' },
    threads: { type: 'string', default: '2' },
    /** The piece that others are held against: the engine's default. */
    reference: { type: 'string', default: '64' },
  },
});
const pieces = options.pieces.split(',').map(Number);
const promptTokens = Number(options['prompt-tokens']);
const repetitions = Number(options.repetitions);
const reference = Number(options.reference);

/** Chunks of the running text before anything is timed, and those that say what a step takes. */
const WARM_UP_CHUNKS = 4;
const STEP_CHUNKS = 12;
/** Tokens of the running text's own prompt. */
const SHORT_PROMPT = 16;

/** The running text. */
class Text {
  #arrivals = [];
  #abort = new AbortController();
  #done;
  #hasEnded = false;
  #waiting = null;

  constructor(engine, model) {
    const { vocabSize, chunkSize, contextChunks } = model;
    const request = requestOf(promptOf(0, SHORT_PROMPT, vocabSize), contextChunks * chunkSize - SHORT_PROMPT);
    this.#done = this.#follow(engine.submit(request, this.#abort.signal));
  }

  async #follow(stream) {
    try {
      for await (const _ of stream) {
        this.#arrivals.push(performance.now());
        if (this.#waiting?.count <= this.#arrivals.length) this.#waiting.resolve();
      }
      this.#hasEnded = true;
    } catch (error) {
      if (error.code !== 'aborted') throw error;
    }
  }

  /** Resolves when so many chunks have come. */
  reached(count) {
    return Promise.race([this.#done, new Promise(resolve => (this.#waiting = { count, resolve }))]);
  }

  /**
   * Milliseconds between chunks that came from `startMs` on, the one before it included.
   *
   * @throws Error where the text has ended by itself, so that pauses are missing
   */
  gaps(startMs) {
    if (this.#hasEnded) throw new Error('The running text ended too early; lower --prompt-tokens.');
    const first = this.#arrivals.findLastIndex(arrival => arrival <= startMs);
    const arrivals = this.#arrivals.slice(first);
    return arrivals.slice(1).map((arrival, index) => arrival - arrivals[index]);
  }

  end() {
    this.#abort.abort();
    return this.#done;
  }
}

function requestOf(tokens, maxTokens) {
  const sampling = { temperature: 1, numCandidates: 1, seed: 0, choice: 0 };
  return { promptTokens: tokens, maxTokens, minTokens: 0, sampling, stopTokenIds: [] };
}

/** Milliseconds until a prompt's first chunk. */
async function readPrompt(engine, model, seed) {
  const request = requestOf(promptOf(seed, promptTokens, model.vocabSize), model.chunkSize);
  const startMs = performance.now();
  for await (const _ of engine.submit(request));
  return performance.now() - startMs;
}

async function measure(environment, source, piece) {
  const { model } = loadModel(environment, source, { slots: 2, device: 'cpu' });
  const engine = new Engine(model, {
    bosTokenId: source.manifest.bos_token_id,
    prefillChunksPerStep: piece,
  });
  try {
    await readPrompt(engine, model, 1);
    const aloneMs = await readPrompt(engine, model, 2);
    const text = new Text(engine, model);
    await text.reached(WARM_UP_CHUNKS);
    const warmMs = performance.now();
    await text.reached(WARM_UP_CHUNKS + STEP_CHUNKS);
    const stepMs = median(text.gaps(warmMs));
    const startMs = performance.now();
    const besideMs = await readPrompt(engine, model, 3);
    const pauseMs = Math.max(...text.gaps(startMs));
    await text.end();
    const perSecond = ms => (promptTokens * 1000) / ms;
    return { alone: perSecond(aloneMs), beside: perSecond(besideMs), stepMs, pauseMs };
  } finally {
    await engine.close();
  }
}

function rowText(manifest, piece, results, references) {
  const spread = (read, digits) => spreadText(spreadOf(results.map(read)), digits);
  const over = key => spread((result, index) => result[key] / references[index][key]);
  const cells = [
    piece,
    piece * manifest.chunk_size,
    spread(({ alone }) => alone, 0),
    references.length > 0 ? over('alone') : '-',
    spread(({ beside }) => beside, 0),
    references.length > 0 ? over('beside') : '-',
    spread(({ stepMs }) => stepMs, 1),
    spread(({ pauseMs }) => pauseMs, 1),
  ];
  return `| ${cells.join(' | ')} |`;
}

if (options.model.length === 0) {
  process.stderr.write('measure-prefill: --model is missing; give the folder of a package.\n');
  process.exit(2);
}
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: Number(options.threads) });
const sources = options.model.map(folder => openPackage(folder));
const cases = pieces.flatMap(piece => sources.map(source => ({ source, piece, results: [] })));
try {
  for (let repetition = 1; repetition <= repetitions; repetition += 1) {
    for (const { source, piece, results } of repetition % 2 === 0 ? cases.toReversed() : cases) {
      process.stderr.write(`repetition ${repetition}: ${source.manifest.name}, ${piece} chunks ...\n`);
      results.push(await measure(environment, source, piece));
    }
  }
} finally {
  environment.close();
}
const over = `over ${reference} chunks`;
const columns = [
  ...['piece, chunks', 'tokens', 'alone, tokens/s', over, 'beside a text, tokens/s', over],
  ...['step, ms', 'longest pause, ms'],
];
for (const source of sources) {
  const { manifest } = source;
  console.log(`\n${manifest.name}, ${manifest.weight_type}, prompts of ${promptTokens} tokens:\n`);
  console.log(`| ${columns.join(' | ')} |\n|${'---|'.repeat(columns.length)}`);
  const own = cases.filter(measured => measured.source === source);
  const references = own.find(({ piece }) => piece === reference)?.results ?? [];
  for (const { piece, results } of own) console.log(rowText(manifest, piece, results, references));
}
