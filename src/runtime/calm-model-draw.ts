/** Candidates: hidden states and noise in, chunks out. */
import { callCapacity } from './call-capacity.js';
import type { CalmManifest } from './manifest.js';
import { Binding } from './ort/binding.js';
import type { ElementType } from './ort/element-type.js';
import { type Closable, HandleStack } from './ort/handle.js';
import type { PackageSessions } from './ort/package-sessions.js';
import type { Session } from './ort/session.js';
import { TensorBuffer } from './ort/tensor-buffer.js';

/** Bounds the logits of all candidates of a call. */
const LOGIT_BYTES_PER_CALL = 64 << 20;

/** Bindings that draw one number of candidates. */
interface DrawBindings {
  readonly run: readonly Binding[];
  /** The one that reads the hidden states, and how many rows of them it is tied to. */
  readonly head: Binding;
  rows: number;
}

/**
 * Draws candidates for any rows of the batch in one native call, or two where head and decoder run apart. `hidden`
 * holds the states of the batch on the model's device, as the decode step wrote them. The caller
 * fills `noise` and `rows`, runs, and reads `tokens`. Buffers are made once; bindings once a number of candidates.
 */
export class CandidateDraw implements Closable {
  /** Most candidates of one call. */
  readonly capacity: number;
  /** Noise of the candidates, one after the other. */
  readonly noise: Float32Array;
  readonly nativeCallsPerRun: number;
  readonly #manifest: CalmManifest;
  readonly #graphs: { readonly draw: Session } | { readonly head: Session; readonly decoder: Session };
  readonly #hidden: TensorBuffer;
  readonly #noise: TensorBuffer;
  readonly #rows: TensorBuffer;
  readonly #latent: TensorBuffer;
  readonly #tokens: TensorBuffer;
  readonly #bindings = new Map<number, DrawBindings>();
  readonly #owned = new HandleStack();

  constructor(sessions: PackageSessions, manifest: CalmManifest, hidden: TensorBuffer, split: boolean) {
    this.#manifest = manifest;
    this.#hidden = hidden;
    this.capacity = candidatesPerCall(manifest);
    this.#graphs = split
      ? { head: sessions.open('head'), decoder: sessions.open('decoder') }
      : { draw: sessions.open('draw') };
    this.nativeCallsPerRun = split ? 2 : 1;
    const host = ('draw' in this.#graphs ? this.#graphs.draw : this.#graphs.head).hostAllocator;
    const make = (type: ElementType, size: number) =>
      this.#owned.own(new TensorBuffer(host, type, this.capacity * size));
    this.#noise = make('float32', manifest.head.noise_size);
    this.#rows = make('int64', 1);
    this.#latent = make('float32', manifest.head.latent_size);
    this.#tokens = make('int64', manifest.chunk_size);
    this.noise = this.#noise.floats;
  }

  /** Says which row of the batch a candidate belongs to. */
  setRow(candidate: number, row: number): void {
    this.#rows.integers[2 * candidate] = row;
  }

  /** Draws the first `candidates` candidates from the first `rows` hidden states. */
  async run(rows: number, candidates: number): Promise<void> {
    const bindings = this.#bind(rows, candidates);
    for (const binding of bindings.run) await binding.run();
  }

  /** The chunk of a candidate of the last run. */
  chunk(candidate: number): number[] {
    return readChunk(this.#tokens.integers, candidate, this.#manifest.chunk_size);
  }

  close(): void {
    this.#bindings.clear();
    this.#owned.close();
  }

  #bind(rows: number, candidates: number): DrawBindings {
    let bindings = this.#bindings.get(candidates);
    if (bindings === undefined) {
      bindings = this.#makeBindings(candidates);
      this.#bindings.set(candidates, bindings);
    }
    if (bindings.rows !== rows) {
      bindings.head.bindInput('hidden', this.#hidden.tensor([rows, this.#manifest.backbone.hidden_size]));
      bindings.rows = rows;
    }
    return bindings;
  }

  #makeBindings(candidates: number): DrawBindings {
    const { chunk_size, head } = this.#manifest;
    const tokens = this.#tokens.tensor([candidates, chunk_size]);
    const latent = this.#latent.tensor([candidates, head.latent_size]);
    const first = this.#owned.own(
      new Binding('draw' in this.#graphs ? this.#graphs.draw : this.#graphs.head),
    );
    first.bindHostInput('noise', this.#noise.tensor([candidates, head.noise_size]));
    first.bindHostInput('row', this.#rows.tensor([candidates]));
    if ('draw' in this.#graphs) {
      first.bindOutput('tokens', tokens);
      return { run: [first], head: first, rows: 0 };
    }
    first.bindOutput('latent', latent);
    const second = this.#owned.own(new Binding(this.#graphs.decoder));
    second.bindHostInput('latent', latent);
    second.bindOutput('tokens', tokens);
    return { run: [first, second], head: first, rows: 0 };
  }
}

/** Chunk number `index` of a buffer of int64 tokens, seen as words (see TensorBuffer). */
export function readChunk(words: Int32Array, index: number, chunkSize: number): number[] {
  const chunk = new Array<number>(chunkSize);
  for (let i = 0; i < chunkSize; i += 1) chunk[i] = words[2 * (index * chunkSize + i)] as number;
  return chunk;
}

/** Most candidates of one call. */
export function candidatesPerCall(manifest: Pick<CalmManifest, 'chunk_size' | 'vocab_size'>): number {
  return callCapacity(manifest.chunk_size * manifest.vocab_size, LOGIT_BYTES_PER_CALL);
}
