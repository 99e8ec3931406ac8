/**
 * Large pools of plain draws after any place of a text, straight from the graphs: one backbone call reads the text, and
 * calls of many candidates draw from its hidden states. A small part of what as many requests cost.
 */
import { BlockCache } from '../../dist/evaluate/block-cache.js';
import { CandidateDraw } from '../../dist/runtime/calm-model-draw.js';
import { cacheSize } from '../../dist/runtime/kv-cache.js';
import { noiseSourceOf } from '../../dist/runtime/noise-source.js';
import { openPackage } from '../../dist/runtime/open-package.js';
import { OrtEnvironment } from '../../dist/runtime/ort/environment.js';
import { OrtLibrary } from '../../dist/runtime/ort/library.js';
import { PackageSessions } from '../../dist/runtime/ort/package-sessions.js';
import { alignPrompt } from '../../dist/runtime/prompt.js';

/** Seeds above all that requests here use, so that no pool shares its noise with what is tested against it. */
const SEED = 2 ** 40;

/** Draws after the text read last are numbered on, and texts too, so that no two draws share their noise. */
export class PoolSource {
  #manifest;
  #environment;
  #sessions;
  #cache;
  #candidates;
  #size;
  #chunks = 0;
  #text = 0;
  /** Draws taken of each state of the text. */
  #taken = new Map();

  /** `longestTokens` is the longest text that `read` takes. */
  constructor(directory, { threads = 1, longestTokens = 512 } = {}) {
    const source = openPackage(directory);
    this.#manifest = source.manifest;
    this.#environment = OrtEnvironment.open(OrtLibrary.load(), { threads });
    this.#sessions = new PackageSessions(this.#environment, source, 'cpu');
    this.#size = cacheSize(source.manifest, { slots: 1, maxModelLen: longestTokens });
    this.#cache = new BlockCache(this.#sessions, source.manifest, this.#size, this.#size.contextChunks);
    this.#candidates = new CandidateDraw(this.#sessions, source.manifest, this.#cache.textStates, false);
  }

  get chunkSize() {
    return this.#manifest.chunk_size;
  }

  /** Reads a prompt, aligned as the engine does. Returns its number of chunks: state i is the one behind chunk i. */
  async read(promptTokens) {
    const { chunk_size: chunkSize, vocab_size: vocabSize, bos_token_id: bosTokenId } = this.#manifest;
    const shape = { chunkSize, vocabSize, bosTokenId, contextChunks: this.#size.contextChunks };
    const { tokens } = alignPrompt(promptTokens, shape);
    this.#text += 1;
    this.#taken.clear();
    this.#chunks = tokens.length / chunkSize;
    await this.#cache.prefill(0, 0, tokens);
    return this.#chunks;
  }

  /** `count` chunks, drawn plainly after chunk number `state` of the text read last; by default after all of it. */
  async draw(count, state = this.#chunks - 1) {
    const size = this.#manifest.head.noise_size;
    const fillNoise = noiseSourceOf(this.#manifest);
    const draw = this.#candidates;
    const first = this.#taken.get(state) ?? 0;
    this.#taken.set(state, first + count);
    const chunks = [];
    while (chunks.length < count) {
      const batch = Math.min(draw.capacity, count - chunks.length);
      for (let i = 0; i < batch; i += 1) {
        draw.setRow(i, state);
        const key = { seed: SEED + this.#text, choice: 0, step: state, candidate: first + chunks.length + i };
        fillNoise(draw.noise, i * size, size, key);
      }
      await draw.run(this.#chunks, batch);
      for (let i = 0; i < batch; i += 1) chunks.push(draw.chunk(i));
    }
    return chunks;
  }

  close() {
    this.#candidates.close();
    this.#cache.close();
    this.#sessions.close();
    this.#environment.close();
  }
}

/** How often each chunk is among some; a chunk is named by its tokens, joined with commas. */
export function countChunks(chunks) {
  const counts = new Map();
  for (const chunk of chunks) {
    const name = chunk.join();
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
