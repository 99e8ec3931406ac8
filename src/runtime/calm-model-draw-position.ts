/** Single tokens of candidates: hidden states, noise and positions in, a token each out. */
import { callCapacity } from './call-capacity.js';
import type { CalmManifest } from './manifest.js';
import { Binding } from './ort/binding.js';
import type { ElementType } from './ort/element-type.js';
import { type Closable, HandleStack } from './ort/handle.js';
import type { PackageSessions } from './ort/package-sessions.js';
import type { Session } from './ort/session.js';
import { TensorBuffer } from './ort/tensor-buffer.js';

/**
 * Bounds the logits of all tokens of a call. A pool of 200 fits at 128,257 tokens: of two calls for it each reads all
 * weights again.
 */
const LOGIT_BYTES_PER_CALL = 128 << 20;

/** Most tokens of one call, for a vocabulary of so many. */
export function tokensPerCall(vocabSize: number): number {
  return callCapacity(vocabSize, LOGIT_BYTES_PER_CALL);
}

/** As CandidateDraw, with the graph `position`: only one position of each candidate meets the vocabulary. */
export class PositionDraw implements Closable {
  readonly capacity: number;
  readonly noise: Float32Array;
  readonly nativeCallsPerRun = 1;
  readonly #manifest: CalmManifest;
  readonly #session: Session;
  readonly #hidden: TensorBuffer;
  readonly #noise: TensorBuffer;
  readonly #rows: TensorBuffer;
  readonly #places: TensorBuffer;
  readonly #tokens: TensorBuffer;
  readonly #bindings = new Map<number, { readonly binding: Binding; rows: number }>();
  readonly #owned = new HandleStack();

  constructor(sessions: PackageSessions, manifest: CalmManifest, hidden: TensorBuffer) {
    this.#manifest = manifest;
    this.#hidden = hidden;
    this.capacity = tokensPerCall(manifest.vocab_size);
    this.#session = sessions.open('position');
    const make = (type: ElementType, size: number) =>
      this.#owned.own(new TensorBuffer(this.#session.hostAllocator, type, this.capacity * size));
    this.#noise = make('float32', manifest.head.noise_size);
    this.#rows = make('int64', 1);
    this.#places = make('int64', 1);
    this.#tokens = make('int64', 1);
    this.noise = this.#noise.floats;
  }

  /** Says which row of the batch a candidate belongs to, and which of its tokens is wanted. */
  setRow(index: number, row: number, position: number): void {
    this.#rows.integers[2 * index] = row;
    // The graph lays the positions of all candidates in one line.
    this.#places.integers[2 * index] = index * this.#manifest.chunk_size + position;
  }

  async run(rows: number, candidates: number): Promise<void> {
    await this.#bind(rows, candidates).run();
  }

  /** The token of a candidate of the last run, alone in an array. */
  chunk(candidate: number): number[] {
    return [this.#tokens.integers[2 * candidate]!];
  }

  close(): void {
    this.#bindings.clear();
    this.#owned.close();
  }

  #bind(rows: number, candidates: number): Binding {
    const { head, backbone } = this.#manifest;
    let known = this.#bindings.get(candidates);
    if (known === undefined) {
      const binding = this.#owned.own(new Binding(this.#session));
      binding.bindHostInput('noise', this.#noise.tensor([candidates, head.noise_size]));
      binding.bindHostInput('row', this.#rows.tensor([candidates]));
      binding.bindHostInput('place', this.#places.tensor([candidates]));
      binding.bindOutput('tokens', this.#tokens.tensor([candidates]));
      known = { binding, rows: 0 };
      this.#bindings.set(candidates, known);
    }
    if (known.rows !== rows) {
      known.binding.bindInput('hidden', this.#hidden.tensor([rows, backbone.hidden_size]));
      known.rows = rows;
    }
    return known.binding;
  }
}
