/** How exactly the autoencoder gives tokens back. */
import type { CalmManifest } from '../runtime/manifest.js';
import { Binding } from '../runtime/ort/binding.js';
import { HandleStack } from '../runtime/ort/handle.js';
import type { PackageSessions } from '../runtime/ort/package-sessions.js';
import { TensorBuffer } from '../runtime/ort/tensor-buffer.js';
import { fillNormals } from '../sampler/normal.js';
import { RandomStream } from '../sampler/uniform.js';

/** Shares of tokens that come back as they were. */
export interface Reconstruction {
  /** From a latent drawn from the posterior, mean + exp(log_std) * N(0, 1): what the head was trained on. */
  readonly noisy: number;
  /** From the posterior's mean. */
  readonly clean: number;
}

/** Logits of all chunks of a call are in memory at once; this bounds them. */
const LOGIT_BYTES_PER_CALL = 64 << 20;
const MOST_CHUNKS_PER_CALL = 1024;

/** Random tokens that are reconstructed: a share of 99.5 % has a standard error of 0.08 %. */
const RANDOM_TOKENS = 8192;
/** Keeps them apart from all other uses of the seed. */
const RANDOM_STREAM = 2 ** 31 - 1;

/** Whole chunks of tokens, each drawn uniformly from all but the special ones. */
export function randomChunks(manifest: CalmManifest, seed: number): number[] {
  const { vocab_size, chunk_size, tokenizer, bos_token_id, eos_token_ids, pad_token_id } = manifest;
  const special = new Set([
    bos_token_id,
    ...eos_token_ids,
    pad_token_id,
    ...Object.values(tokenizer?.special_tokens ?? {}),
  ]);
  const usual = Array.from({ length: vocab_size }, (_, id) => id).filter(id => !special.has(id));
  const random = new RandomStream({ seed, choice: RANDOM_STREAM, step: 0 });
  const count = Math.ceil(RANDOM_TOKENS / chunk_size) * chunk_size;
  return Array.from({ length: count }, () => usual[Math.floor(random.next() * usual.length)] as number);
}

/**
 * Encodes chunks and decodes them again.
 *
 * @param tokens whole chunks, one after the other; at least one
 */
export async function reconstruct(
  sessions: PackageSessions,
  manifest: CalmManifest,
  tokens: readonly number[],
  seed: number,
): Promise<Reconstruction> {
  const coder = new Coder(sessions, manifest);
  const chunkCount = tokens.length / manifest.chunk_size;
  const right = { noisy: 0, clean: 0 };
  try {
    for (let from = 0; from < chunkCount; from += coder.capacity) {
      const count = Math.min(coder.capacity, chunkCount - from);
      const chunks = tokens.slice(from * manifest.chunk_size, (from + count) * manifest.chunk_size);
      await coder.encode(chunks);
      right.clean += await coder.decode(chunks, null);
      right.noisy += await coder.decode(chunks, { seed, firstChunk: from });
    }
  } finally {
    coder.close();
  }
  return { noisy: right.noisy / tokens.length, clean: right.clean / tokens.length };
}

/** Encoder and decoder over buffers for `capacity` chunks. */
class Coder {
  readonly capacity: number;
  readonly #manifest: CalmManifest;
  readonly #ids: TensorBuffer;
  readonly #mean: TensorBuffer;
  readonly #logStd: TensorBuffer;
  readonly #latent: TensorBuffer;
  readonly #tokens: TensorBuffer;
  readonly #encoder: Binding;
  readonly #decoder: Binding;
  readonly #owned = new HandleStack();

  constructor(sessions: PackageSessions, manifest: CalmManifest) {
    const { chunk_size, vocab_size, head } = manifest;
    const logitBytes = chunk_size * vocab_size * Float32Array.BYTES_PER_ELEMENT;
    this.capacity = Math.max(
      1,
      Math.min(MOST_CHUNKS_PER_CALL, Math.floor(LOGIT_BYTES_PER_CALL / logitBytes)),
    );
    this.#manifest = manifest;
    try {
      const [encoder, decoder] = [sessions.open('encoder'), sessions.open('decoder')];
      const make = (type: 'float32' | 'int64', size: number) =>
        this.#owned.own(new TensorBuffer(encoder.hostAllocator, type, this.capacity * size));
      this.#ids = make('int64', chunk_size);
      this.#mean = make('float32', head.latent_size);
      this.#logStd = make('float32', head.latent_size);
      this.#latent = make('float32', head.latent_size);
      this.#tokens = make('int64', chunk_size);
      this.#encoder = this.#owned.own(new Binding(encoder));
      this.#decoder = this.#owned.own(new Binding(decoder));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Leaves the posteriors of whole chunks in the buffers. */
  async encode(chunks: readonly number[]): Promise<void> {
    const { chunk_size, head } = this.#manifest;
    const count = chunks.length / chunk_size;
    for (const [index, token] of chunks.entries()) this.#ids.integers[2 * index] = token;
    this.#encoder.bindHostInput('input_ids', this.#ids.tensor([count, chunk_size]));
    this.#encoder.bindOutput('mean', this.#mean.tensor([count, head.latent_size]));
    this.#encoder.bindOutput('log_std', this.#logStd.tensor([count, head.latent_size]));
    await this.#encoder.run();
  }

  /** Decodes the posteriors of `chunks`, with noise or at their means; returns how many tokens came back. */
  async decode(
    chunks: readonly number[],
    noise: { readonly seed: number; readonly firstChunk: number } | null,
  ): Promise<number> {
    const { chunk_size, head } = this.#manifest;
    const count = chunks.length / chunk_size;
    this.#fillLatents(count * head.latent_size, noise);
    this.#decoder.bindHostInput('latent', this.#latent.tensor([count, head.latent_size]));
    this.#decoder.bindOutput('tokens', this.#tokens.tensor([count, chunk_size]));
    await this.#decoder.run();
    return chunks.filter((token, index) => this.#tokens.integers[2 * index] === token).length;
  }

  close(): void {
    this.#owned.close();
  }

  #fillLatents(length: number, noise: { readonly seed: number; readonly firstChunk: number } | null): void {
    const { latent_size } = this.#manifest.head;
    const [latent, mean, logStd] = [this.#latent.floats, this.#mean.floats, this.#logStd.floats];
    if (noise === null) latent.set(mean.subarray(0, length));
    else {
      for (let at = 0; at < length; at += latent_size) {
        const step = noise.firstChunk + at / latent_size;
        fillNormals(latent, at, latent_size, { seed: noise.seed, step });
      }
      for (let i = 0; i < length; i += 1) latent[i] = mean[i]! + Math.exp(logStd[i]!) * latent[i]!;
    }
  }
}
