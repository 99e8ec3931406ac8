/** The keys and values of all slots: one pair of buffers a layer, which the graphs read and extend in place. */
import { CalmError } from '../errors.js';
import { CacheRows, type RowMemory } from './kv-cache-rows.js';
import type { Manifest } from './manifest.js';
import type { Binding } from './ort/binding.js';
import { byteLength, type ElementType } from './ort/element-type.js';
import type { OrtEnvironment } from './ort/environment.js';
import { activationElementType } from './ort/graph-contract.js';
import { type Closable, HandleStack } from './ort/handle.js';
import type { Allocator, NativeBuffer, Tensor } from './ort/memory.js';
import { TensorCopy } from './ort/tensor-copy.js';

/** How large a cache shall be. */
export interface CacheOptions {
  /** Rows that are wanted: the largest number of sequences that decode at once. */
  readonly slots: number;
  /** Longest sequence in tokens; the model's own limit where it is left out. */
  readonly maxModelLen?: number | undefined;
  /** Most bytes that the whole cache may take; it lowers the number of slots. */
  readonly kvCacheMemoryBytes?: number | undefined;
}

/** The size of a cache for one package. */
export interface CacheSize {
  readonly slots: number;
  /** Chunks that one slot can hold. */
  readonly contextChunks: number;
  /** Bytes of one slot, all layers. */
  readonly slotBytes: number;
}

/** Settles a cache's size. Throws CalmError 'bad_usage' where the options contradict the model or each other. */
export function cacheSize(manifest: Manifest, options: CacheOptions): CacheSize {
  const { max_positions, layers, kv_heads, head_size } = manifest.backbone;
  const contextChunks = contextOf(manifest, options.maxModelLen ?? max_positions * manifest.chunk_size);
  const element = activationElementType(manifest);
  const slotBytes = 2 * layers * byteLength(element, [kv_heads, contextChunks, head_size]);
  const affordable = Math.floor((options.kvCacheMemoryBytes ?? Number.POSITIVE_INFINITY) / slotBytes);
  if (affordable < 1) {
    throw new CalmError(
      'bad_usage',
      `A cache of ${options.kvCacheMemoryBytes} bytes holds no sequence: one of ${contextChunks * manifest.chunk_size} tokens ` +
        `takes ${slotBytes} bytes; raise --kv-cache-memory or lower --max-model-len.`,
      { param: 'kv_cache_memory' },
    );
  }
  return { slots: Math.min(options.slots, affordable), contextChunks, slotBytes };
}

function contextOf(manifest: Manifest, maxModelLen: number): number {
  const longest = manifest.backbone.max_positions * manifest.chunk_size;
  if (maxModelLen < manifest.chunk_size || maxModelLen > longest) {
    throw new CalmError(
      'bad_usage',
      `The longest sequence of ${manifest.name} can be set from ${manifest.chunk_size} to ${longest} tokens, not to ${maxModelLen}; change --max-model-len.`,
      { param: 'max_model_len' },
    );
  }
  return Math.floor(maxModelLen / manifest.chunk_size);
}

/** Tensors over the same rows of every buffer, in the order of `names`. */
type CacheView = readonly Tensor[];

/**
 * The cache of one model. Each buffer is [slots, kv heads, chunks, head size]. On the CPU it is address space: pages
 * appear as positions are written, so a long context costs nothing until it is used.
 */
export class KvCache implements Closable {
  readonly size: CacheSize;
  readonly #environment: OrtEnvironment;
  readonly #elementType: ElementType;
  /** Shape of one row of one buffer. */
  readonly #rowShape: readonly [kvHeads: number, chunks: number, headSize: number];
  readonly #names: readonly string[];
  readonly #buffers: readonly NativeBuffer[];
  readonly #views = new Map<string, CacheView>();
  readonly #owned = new HandleStack();
  #copy: TensorCopy | null = null;
  #rows: RowMemory | undefined;

  constructor(environment: OrtEnvironment, allocator: Allocator, manifest: Manifest, size: CacheSize) {
    const { layers, kv_heads, head_size } = manifest.backbone;
    this.size = size;
    this.#environment = environment;
    this.#elementType = activationElementType(manifest);
    this.#rowShape = [kv_heads, size.contextChunks, head_size];
    this.#names = Array.from({ length: layers }, (_, layer) => [`${layer}.key`, `${layer}.value`]).flat();
    const bytes = size.slots * this.#rowBytes;
    try {
      this.#buffers = this.#names.map(() => this.#owned.own(allocator.allocate(bytes)));
    } catch (cause) {
      this.close();
      throw new CalmError(
        'native',
        `The cache of ${size.slots} slots (${size.slots * size.slotBytes} bytes) cannot be allocated; ` +
          'lower --max-num-seqs, --max-model-len or --kv-cache-memory.',
        { cause },
      );
    }
  }

  /** Ties rows [firstRow, firstRow + rowCount) to a graph's past and present, as the same memory. */
  bind(binding: Binding, firstRow: number, rowCount: number): void {
    const view = this.#view(firstRow, rowCount);
    for (const [index, name] of this.#names.entries()) {
      binding.bindInput(`past.${name}`, view[index] as Tensor);
      binding.bindOutput(`present.${name}`, view[index] as Tensor);
    }
  }

  /**
   * Copies the first `chunks` positions of a row onto another row. On the CPU only they are copied, at once, head by
   * head; on a device whole rows, by native calls.
   */
  moveRow(from: number, to: number, chunks: number): void | Promise<void> {
    if (from === to || chunks === 0) return;
    const device = this.#buffers[0]?.memory.device ?? 'cpu';
    if (device === 'cpu') return this.#copyPrefix(from, to, chunks);
    this.#copy ??= this.#owned.own(new TensorCopy(this.#environment, this.#elementType, device));
    return this.#copy.copy(this.#view(from, 1), this.#view(to, 1));
  }

  /** Its rows, to copy parts of them out and in; undefined where they do not lie in CPU memory. */
  get rows(): RowMemory | undefined {
    if (this.#buffers[0]?.memory.device !== 'cpu') return undefined;
    const [kvHeads, contextChunks, headSize] = this.#rowShape;
    this.#rows ??= new CacheRows(
      this.#buffers.map(buffer => new Float64Array(buffer.view)),
      { kvHeads, contextChunks, wordsPerHead: byteLength(this.#elementType, [headSize]) / 8 },
    );
    return this.#rows;
  }

  close(): void {
    this.#rows = undefined;
    this.#views.clear();
    this.#owned.close();
  }

  #copyPrefix(from: number, to: number, chunks: number): void {
    const [kvHeads, contextChunks, headSize] = this.#rowShape;
    // Head sizes are multiples of 16, so every position is whole in 8-byte words.
    const wordsPerChunk = byteLength(this.#elementType, [headSize]) / 8;
    for (const buffer of this.#buffers) {
      const words = new Float64Array(buffer.view);
      for (let head = 0; head < kvHeads; head += 1) {
        const source = (from * kvHeads + head) * contextChunks * wordsPerChunk;
        const target = (to * kvHeads + head) * contextChunks * wordsPerChunk;
        words.copyWithin(target, source, source + chunks * wordsPerChunk);
      }
    }
  }

  get #rowBytes(): number {
    return byteLength(this.#elementType, this.#rowShape);
  }

  /** Views are kept: there are at most two a slot, and making one costs a native call a buffer. */
  #view(firstRow: number, rowCount: number): CacheView {
    const key = `${firstRow}+${rowCount}`;
    const known = this.#views.get(key);
    if (known !== undefined) return known;
    const shape = [rowCount, ...this.#rowShape];
    const view = this.#buffers.map(buffer =>
      this.#owned.own(buffer.tensor(this.#elementType, shape, firstRow * this.#rowBytes)),
    );
    this.#views.set(key, view);
    return view;
  }
}
