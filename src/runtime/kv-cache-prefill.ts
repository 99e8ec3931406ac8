/** Writing prompts into the cache, a piece at a time. */
import type { KvCache } from './kv-cache.js';
import { CacheInputs } from './kv-cache-inputs.js';
import type { PrefillPiece } from './model.js';
import { Binding } from './ort/binding.js';
import { type Closable, HandleStack } from './ort/handle.js';
import type { Session } from './ort/session.js';

/**
 * Runs the backbone over pieces of prompts, one row at a time: attention over several positions of a row that is not
 * empty works for a batch of one. Hidden states are not asked for.
 */
export class Prefill implements Closable {
  readonly #session: Session;
  readonly #chunkSize: number;
  readonly #inputs: CacheInputs;
  readonly #bindings = new Map<number, Binding>();
  readonly #owned = new HandleStack();

  constructor(session: Session, cache: KvCache, chunkSize: number) {
    this.#session = session;
    this.#chunkSize = chunkSize;
    this.#inputs = this.#owned.own(
      new CacheInputs(session.hostAllocator, cache, cache.size.contextChunks * chunkSize),
    );
  }

  /** Appends a piece to its slot's row; one native call. */
  async run(piece: PrefillPiece): Promise<void> {
    const binding = this.#binding(piece.slot);
    this.#inputs.bindIds(binding, 1, piece.tokens.length);
    this.#inputs.writeIds(0, piece.tokens);
    this.#inputs.writeLengths([piece.position + piece.tokens.length / this.#chunkSize]);
    await binding.run();
  }

  close(): void {
    this.#bindings.clear();
    this.#owned.close();
  }

  #binding(slot: number): Binding {
    const known = this.#bindings.get(slot);
    if (known !== undefined) return known;
    const binding = this.#owned.own(new Binding(this.#session));
    this.#inputs.bind(binding, slot, 1, this.#chunkSize);
    this.#bindings.set(slot, binding);
    return binding;
  }
}
