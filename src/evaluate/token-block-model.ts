/**
 * A token model for scoring: the same target as for a CALM, by exact probabilities as far as they reach.
 *
 * P(y) is the product of the text's own softmaxes. The collision probability of n-grams is
 * sum P(x1)^2 sum P(x2|x1)^2 ...: with c the sum of squares of one softmax, it is the mean of c(x<1) c(x<2) ... c(x<n)
 * over paths whose tokens are drawn with weights P^2 / c, so only the paths are left to chance.
 */
import type { CacheSize } from '../runtime/kv-cache.js';
import type { TokenManifest } from '../runtime/manifest.js';
import { Binding } from '../runtime/ort/binding.js';
import { type Closable, HandleStack } from '../runtime/ort/handle.js';
import type { PackageSessions } from '../runtime/ort/package-sessions.js';
import type { Session } from '../runtime/ort/session.js';
import { TensorBuffer } from '../runtime/ort/tensor-buffer.js';
import { uniformAt } from '../sampler/uniform.js';
import { BlockCache } from './block-cache.js';
import type { BlockModel, ChunkFeed, NodeQuery } from './block-model.js';
import type { Block } from './blocks.js';
import type { NodeScore } from './brier.js';
import { SoftmaxReader, type SoftmaxStatistics, softmaxNode } from './softmax-statistics.js';

/** Logits of a call are in memory at once; this bounds them, and with them a piece of a block. */
const LOGIT_BYTES_PER_CALL = 64 << 20;
/** Numbers of the text's own contexts, so that they share none with contexts that left it. */
const TEXT_STREAM = 2 ** 31;

/** Does not own `sessions`. `paths` is the largest number of samples that a query may ask for. */
export class TokenBlockModel implements BlockModel {
  readonly chunkSize = 1;
  readonly rowCount: number;
  readonly #manifest: TokenManifest;
  readonly #seed: number;
  readonly #paths: number;
  readonly #pieceTokens: number;
  readonly #cache: BlockCache;
  readonly #lmHead: Session;
  readonly #logits: TensorBuffer;
  readonly #textBinding: Binding;
  readonly #fedBinding: Binding;
  readonly #reader: SoftmaxReader;
  readonly #owned = new HandleStack();
  #text: SoftmaxStatistics[] = [];

  constructor(
    sessions: PackageSessions,
    manifest: TokenManifest,
    size: CacheSize,
    options: { readonly seed: number; readonly paths: number },
  ) {
    const own = <T extends Closable>(thing: T): T => this.#owned.own(thing);
    const logitBytes = manifest.vocab_size * Float32Array.BYTES_PER_ELEMENT;
    const affordable = Math.max(2, Math.floor(LOGIT_BYTES_PER_CALL / logitBytes));
    this.rowCount = size.slots;
    this.#manifest = manifest;
    this.#seed = options.seed;
    this.#paths = options.paths;
    this.#pieceTokens = Math.min(size.contextChunks, affordable);
    this.#reader = new SoftmaxReader(manifest.vocab_size);
    try {
      this.#cache = own(new BlockCache(sessions, manifest, size, this.#pieceTokens));
      this.#lmHead = sessions.open('lm_head');
      const rows = Math.max(this.#pieceTokens, size.slots);
      this.#logits = own(new TensorBuffer(this.#lmHead.hostAllocator, 'float32', rows * manifest.vocab_size));
      this.#textBinding = own(new Binding(this.#lmHead));
      this.#fedBinding = own(new Binding(this.#lmHead));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async prefill(row: number, { tokens, index }: Block, chunks: number): Promise<void> {
    this.#text = [];
    for (let from = 0; from < chunks; from += this.#pieceTokens) {
      const piece = tokens.slice(from, Math.min(chunks, from + this.#pieceTokens));
      await this.#cache.prefill(row, from, piece);
      await this.#runHead(this.#textBinding, this.#cache.textStates, piece.length);
      for (let i = 0; i < piece.length; i += 1) {
        const uniforms = this.#uniforms(index, from + i, TEXT_STREAM, this.#paths);
        this.#text.push(this.#read(i, tokens[from + i + 1] ?? null, uniforms));
      }
    }
  }

  async scoreText(queries: readonly NodeQuery[]): Promise<NodeScore[]> {
    return queries.map(query => {
      const statistics = this.#text[query.state] as SoftmaxStatistics;
      const shared = statistics.shared.slice(0, query.samples);
      return softmaxNode({ ...statistics, shared }, query.truth?.[0] ?? null);
    });
  }

  async feed(feeds: readonly (ChunkFeed | null)[]): Promise<void> {
    await this.#cache.feed(feeds);
    await this.#runHead(this.#fedBinding, this.#cache.fedStates, feeds.length);
  }

  async scoreFed(queries: readonly NodeQuery[]): Promise<NodeScore[]> {
    return queries.map(({ state, block, node, samples }) =>
      softmaxNode(this.#read(state, null, this.#uniforms(block, node, 0, samples)), null),
    );
  }

  close(): void {
    this.#owned.close();
  }

  async #runHead(binding: Binding, states: TensorBuffer, rows: number): Promise<void> {
    const { vocab_size, backbone } = this.#manifest;
    binding.bindInput('hidden', states.tensor([rows, backbone.hidden_size]));
    binding.bindOutput('logits', this.#logits.tensor([rows, vocab_size]));
    await binding.run();
  }

  #read(row: number, token: number | null, uniforms: readonly number[]): SoftmaxStatistics {
    return this.#reader.read(this.#logits.floats, row * this.#manifest.vocab_size, token, uniforms);
  }

  #uniforms(block: number, node: number, firstStream: number, count: number): number[] {
    return Array.from({ length: count }, (_, i) =>
      uniformAt({ seed: this.#seed, choice: node, step: block, stream: firstStream + i }),
    );
  }
}
