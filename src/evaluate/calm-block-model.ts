/** A CALM for scoring: chunks are drawn from the head, for any states of a block in one native call. */
import { CandidateDraw } from '../runtime/calm-model-draw.js';
import type { CacheSize } from '../runtime/kv-cache.js';
import type { CalmManifest } from '../runtime/manifest.js';
import { type NoiseSource, noiseSourceOf } from '../runtime/noise-source.js';
import { type Closable, HandleStack } from '../runtime/ort/handle.js';
import type { PackageSessions } from '../runtime/ort/package-sessions.js';
import { BlockCache } from './block-cache.js';
import type { BlockModel, ChunkFeed, NodeQuery } from './block-model.js';
import type { Block } from './blocks.js';
import { type NodeScore, scoreNode } from './brier.js';

/** Does not own `sessions`. */
export class CalmBlockModel implements BlockModel {
  readonly chunkSize: number;
  readonly rowCount: number;
  readonly #seed: number;
  readonly #noiseSize: number;
  readonly #fillNoise: NoiseSource;
  readonly #cache: BlockCache;
  readonly #textDraw: CandidateDraw;
  readonly #fedDraw: CandidateDraw;
  readonly #owned = new HandleStack();
  #textChunks = 0;
  #fedRows = 0;

  constructor(sessions: PackageSessions, manifest: CalmManifest, size: CacheSize, seed: number) {
    const own = <T extends Closable>(thing: T): T => this.#owned.own(thing);
    this.chunkSize = manifest.chunk_size;
    this.rowCount = size.slots;
    this.#seed = seed;
    this.#noiseSize = manifest.head.noise_size;
    this.#fillNoise = noiseSourceOf(manifest);
    try {
      this.#cache = own(new BlockCache(sessions, manifest, size, size.contextChunks));
      this.#textDraw = own(new CandidateDraw(sessions, manifest, this.#cache.textStates, false));
      this.#fedDraw = own(new CandidateDraw(sessions, manifest, this.#cache.fedStates, false));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async prefill(row: number, block: Block, chunks: number): Promise<void> {
    this.#textChunks = chunks;
    await this.#cache.prefill(row, 0, block.tokens.slice(0, chunks * this.chunkSize));
  }

  scoreText(queries: readonly NodeQuery[]): Promise<NodeScore[]> {
    return this.#score(this.#textDraw, this.#textChunks, queries);
  }

  async feed(feeds: readonly (ChunkFeed | null)[]): Promise<void> {
    this.#fedRows = feeds.length;
    await this.#cache.feed(feeds);
  }

  scoreFed(queries: readonly NodeQuery[]): Promise<NodeScore[]> {
    return this.#score(this.#fedDraw, this.#fedRows, queries);
  }

  close(): void {
    this.#owned.close();
  }

  async #score(draw: CandidateDraw, states: number, queries: readonly NodeQuery[]): Promise<NodeScore[]> {
    const wanted = queries.flatMap((query, index) =>
      Array.from({ length: query.samples }, (_, candidate) => ({ query, index, candidate })),
    );
    const draws = queries.map((): number[][] => []);
    for (let from = 0; from < wanted.length; from += draw.capacity) {
      const batch = wanted.slice(from, from + draw.capacity);
      for (const [slot, { query, candidate }] of batch.entries()) {
        draw.setRow(slot, query.state);
        this.#fillNoise(draw.noise, slot * this.#noiseSize, this.#noiseSize, {
          seed: this.#seed,
          choice: query.node,
          step: query.block,
          candidate,
        });
      }
      await draw.run(states, batch.length);
      for (const [slot, { index }] of batch.entries()) draws[index]?.push(draw.chunk(slot));
    }
    return queries.map((query, index) => scoreNode(draws[index] ?? [], query.length, query.truth));
  }
}
