/** The decode step of a CALM: each row's last chunk in, its hidden state out, and in the fused graph one candidate. */
import { readChunk } from './calm-model-draw.js';
import type { KvCache } from './kv-cache.js';
import { CacheInputs } from './kv-cache-inputs.js';
import type { CalmManifest } from './manifest.js';
import type { DecodeRow } from './model.js';
import { Binding } from './ort/binding.js';
import { type Closable, HandleStack } from './ort/handle.js';
import type { Session } from './ort/session.js';
import { TensorBuffer } from './ort/tensor-buffer.js';

/** Runs `step` (fused) or `backbone` over the rows of neighbouring slots; one native call. */
export class Decode implements Closable {
  /** Whether a run also draws the first candidate of every row. */
  readonly fused: boolean;
  /** Noise of one candidate for each row of the call, row after row; only read where the graph is fused. */
  readonly noise: Float32Array;
  readonly #session: Session;
  readonly #manifest: CalmManifest;
  readonly #hidden: TensorBuffer;
  readonly #inputs: CacheInputs;
  readonly #noise: TensorBuffer;
  readonly #tokens: TensorBuffer;
  readonly #bindings = new Map<string, Binding>();
  readonly #owned = new HandleStack();

  constructor(
    session: Session,
    fused: boolean,
    manifest: CalmManifest,
    cache: KvCache,
    hidden: TensorBuffer,
  ) {
    const { slots } = cache.size;
    const host = session.hostAllocator;
    this.fused = fused;
    this.#session = session;
    this.#manifest = manifest;
    this.#hidden = hidden;
    this.#inputs = this.#owned.own(new CacheInputs(host, cache, slots * manifest.chunk_size));
    this.#noise = this.#owned.own(new TensorBuffer(host, 'float32', slots * manifest.head.noise_size));
    this.#tokens = this.#owned.own(new TensorBuffer(host, 'int64', slots * manifest.chunk_size));
    this.noise = this.#noise.floats;
  }

  /** Decodes rows that hold the slots from `firstSlot` on; their hidden states go to the same places of `hidden`. */
  async run(rows: readonly DecodeRow[], firstSlot: number): Promise<void> {
    for (let row = 0; row < rows.length; row += 1) {
      this.#inputs.writeIds(row * this.#manifest.chunk_size, (rows[row] as DecodeRow).chunk);
    }
    this.#inputs.writeLengths(rows.map(row => row.position + 1));
    await this.#binding(firstSlot, rows.length).run();
  }

  /** The candidate of a row of the last fused run, counted from its first. */
  chunk(row: number): number[] {
    return readChunk(this.#tokens.integers, row, this.#manifest.chunk_size);
  }

  close(): void {
    this.#bindings.clear();
    this.#owned.close();
  }

  #binding(firstSlot: number, rows: number): Binding {
    const key = `${firstSlot}+${rows}`;
    const known = this.#bindings.get(key);
    if (known !== undefined) return known;
    const { chunk_size, head, backbone } = this.#manifest;
    const firstState = firstSlot * backbone.hidden_size;
    const binding = this.#owned.own(new Binding(this.#session));
    this.#inputs.bind(binding, firstSlot, rows, chunk_size);
    if (this.fused) {
      binding.bindHostInput('noise', this.#noise.tensor([rows, head.noise_size]));
      binding.bindOutput('tokens', this.#tokens.tensor([rows, chunk_size]));
      binding.bindOutput('hidden', this.#hidden.tensor([rows, backbone.hidden_size], firstState));
    } else {
      binding.bindOutput('hidden', this.#hidden.tensor([rows, 1, backbone.hidden_size], firstState));
    }
    this.#bindings.set(key, binding);
    return binding;
  }
}
