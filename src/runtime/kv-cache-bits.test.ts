/**
 * What determinism rests on: a row's bits do not depend on the rest of the batch, nor on how its prompt was cut. It
 * holds for the kernels of the CPU, which sum every row of a product in the same order.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { GoldenPackages } from '../../tests/golden-package.js';
import { KvCache } from './kv-cache.js';
import { CacheInputs } from './kv-cache-inputs.js';
import { Prefill } from './kv-cache-prefill.js';
import type { RowMemory } from './kv-cache-rows.js';
import type { CalmManifest } from './manifest.js';
import { openPackage } from './open-package.js';
import { Binding } from './ort/binding.js';
import { OrtEnvironment } from './ort/environment.js';
import { activationElementType } from './ort/graph-contract.js';
import { HandleStack } from './ort/handle.js';
import { OrtLibrary } from './ort/library.js';
import { PackageSessions } from './ort/package-sessions.js';
import { TensorBuffer } from './ort/tensor-buffer.js';

const packages = new GoldenPackages();
const environment = OrtEnvironment.open(OrtLibrary.load(), { threads: 2 });
afterAll(() => {
  environment.close();
  packages.remove();
});

const slots = 8;
/** Chunks in each row's prompt. */
const promptLengths = [5, 17, 3, 30, 12, 21, 8, 48];

/** Numbers that look random and are the same every time. */
function ids(count: number, seed: number, limit: number): number[] {
  return Array.from(
    { length: count },
    (_, i) => Math.imul(i * 2654435761 + seed * 40503 + 12345, 69069) >>> 7,
  ).map(value => value % limit);
}

class Runner {
  readonly #manifest: CalmManifest;
  readonly #sessions: PackageSessions;
  readonly #owned = new HandleStack();
  #cache: KvCache;

  constructor(directory: string) {
    const source = openPackage(directory);
    this.#manifest = source.manifest as CalmManifest;
    this.#sessions = this.#owned.own(new PackageSessions(environment, source, 'cpu'));
    this.#cache = this.#newCache();
  }

  /** Forgets everything that was prefilled. */
  clear(): void {
    this.#cache = this.#newCache();
  }

  /** The bits of the hidden states [T, h] of a piece, in words of 32. */
  async prefill(slot: number, position: number, tokens: readonly number[]): Promise<Int32Array> {
    const chunks = tokens.length / this.#manifest.chunk_size;
    return this.#run('backbone', slot, [tokens], [position + chunks], [1, chunks, this.#width]);
  }

  /** The bits of the hidden states [B, h] of the rows' next chunks, in words of 32. */
  async decode(chunks: readonly (readonly number[])[], positions: readonly number[]): Promise<Int32Array> {
    const lengths = positions.map(position => position + 1);
    return this.#run('step', 0, chunks, lengths, [chunks.length, this.#width]);
  }

  /** Prefills as a model does, which asks for no hidden states. */
  async prefillPieces(slot: number, prompt: readonly number[], cuts: readonly number[]): Promise<void> {
    const prefill = new Prefill(this.#sessions.open('backbone'), this.#cache, this.chunkSize);
    let position = 0;
    for (const length of cuts) {
      const tokens = prompt.slice(position * this.chunkSize, (position + length) * this.chunkSize);
      await prefill.run({ slot, position, tokens });
      position += length;
    }
    prefill.close();
  }

  /** Where the rows' keys and values can be copied out and in. */
  get rows(): RowMemory {
    return this.#cache.rows as RowMemory;
  }

  prompt(row: number): number[] {
    const { chunk_size, vocab_size } = this.#manifest;
    return ids((promptLengths[row] as number) * chunk_size, row + 1, vocab_size);
  }

  chunk(row: number): number[] {
    return ids(this.#manifest.chunk_size, row + 100, this.#manifest.vocab_size);
  }

  get chunkSize(): number {
    return this.#manifest.chunk_size;
  }

  close(): void {
    this.#owned.close();
  }

  get #width(): number {
    return this.#manifest.backbone.hidden_size;
  }

  #newCache(): KvCache {
    const { hostAllocator } = this.#sessions.open('step');
    const size = { slots, contextChunks: 64, slotBytes: 0 };
    return this.#owned.own(new KvCache(environment, hostAllocator, this.#manifest, size));
  }

  async #run(
    name: 'backbone' | 'step',
    firstRow: number,
    rows: readonly (readonly number[])[],
    lengths: readonly number[],
    hiddenShape: readonly number[],
  ): Promise<Int32Array> {
    const session = this.#sessions.open(name);
    const { hostAllocator } = session;
    const owned = new HandleStack();
    const binding = owned.own(new Binding(session));
    const idsPerRow = rows[0]?.length ?? 0;
    const inputs = owned.own(new CacheInputs(hostAllocator, this.#cache, rows.length * idsPerRow));
    for (const [row, tokens] of rows.entries()) inputs.writeIds(row * idsPerRow, tokens);
    inputs.writeLengths(lengths);
    inputs.bind(binding, firstRow, rows.length, idsPerRow);
    if (name === 'step') {
      const size = this.#manifest.head.noise_size;
      const noise = owned.own(new TensorBuffer(hostAllocator, 'float32', rows.length * size));
      noise.floats.fill(0.25);
      binding.bindInput('noise', noise.tensor([rows.length, size]));
    }
    const elements = hiddenShape.reduce((product, length) => product * length, 1);
    const hidden = owned.own(
      new TensorBuffer(hostAllocator, activationElementType(this.#manifest), elements),
    );
    binding.bindOutput('hidden', hidden.tensor(hiddenShape));
    await binding.run();
    const copy = hidden.integers.slice();
    owned.close();
    return copy;
  }
}

describe.each(['fp32', 'int8', 'int4', 'fp16'] as const)('%s', weights => {
  const runner = new Runner(packages.convert('energy-k4', weights));
  afterAll(() => runner.close());

  it('decodes a row to the same bits alone and in batches of 2 to 8', async () => {
    const alone: Int32Array[] = [];
    for (const [row, length] of promptLengths.entries()) {
      await runner.prefill(0, 0, runner.prompt(row));
      alone.push(await runner.decode([runner.chunk(row)], [length]));
    }
    runner.clear();
    for (const row of promptLengths.keys()) await runner.prefill(row, 0, runner.prompt(row));
    for (let batch = 2; batch <= slots; batch += 1) {
      const rows = promptLengths.slice(0, batch);
      const together = await runner.decode(
        rows.map((_, row) => runner.chunk(row)),
        rows,
      );
      const width = together.length / batch;
      for (const row of rows.keys()) {
        expect(together.subarray(row * width, (row + 1) * width)).toEqual(alone[row]);
      }
    }
  });

  it.each([[[16, 32]], [[7, 41]], [[24, 24]], [[2, 46]], [[10, 20, 18]]])(
    'prefills 48 chunks to the same bits at once and as %j',
    async cuts => {
      const row = promptLengths.indexOf(48);
      const prompt = runner.prompt(row);
      runner.clear();
      const whole = await runner.prefill(0, 0, prompt);
      const pieces: number[] = [];
      let position = 0;
      for (const length of cuts) {
        const tokens = prompt.slice(position * runner.chunkSize, (position + length) * runner.chunkSize);
        pieces.push(...(await runner.prefill(1, position, tokens)));
        position += length;
      }
      expect(Int32Array.from(pieces)).toEqual(whole);
    },
  );

  it.each([40, 39, 8])(
    'decodes to the same bits after %i of 48 chunks came from a copy of another row',
    async kept => {
      const row = promptLengths.indexOf(48);
      const prompt = runner.prompt(row);
      runner.clear();
      await runner.prefillPieces(0, prompt, [48]);
      const whole = await runner.decode([runner.chunk(row)], [48]);
      runner.clear();
      await runner.prefillPieces(5, prompt, [48]);
      for (let position = 0; position < kept; position += 8) {
        const block = new Float64Array(8 * runner.rows.wordsPerChunk);
        runner.rows.save(5, position, block);
        runner.rows.restore(block, 0, position, Math.min(8, kept - position));
      }
      await runner.prefill(0, kept, prompt.slice(kept * runner.chunkSize));
      expect(await runner.decode([runner.chunk(row)], [48])).toEqual(whole);
    },
  );

  it.each([[[47, 1]], [[1, 47]], [[20, 1, 1, 26]], [[31, 17]]])(
    'decodes to the same bits after a prompt of 48 chunks at once and as %j',
    async cuts => {
      const row = promptLengths.indexOf(48);
      runner.clear();
      await runner.prefillPieces(0, runner.prompt(row), [48]);
      const whole = await runner.decode([runner.chunk(row)], [48]);
      runner.clear();
      await runner.prefillPieces(0, runner.prompt(row), cuts);
      expect(await runner.decode([runner.chunk(row)], [48])).toEqual(whole);
    },
  );
});
