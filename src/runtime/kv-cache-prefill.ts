/** Writing prompts into the cache, a piece at a time. */
import type { KvCache } from './kv-cache.js';
import { CacheInputs } from './kv-cache-inputs.js';
import type { PrefillPiece } from './model.js';
import { Binding } from './ort/binding.js';
import { type Closable, HandleStack } from './ort/handle.js';
import type { Tensor } from './ort/memory.js';
import type { Session } from './ort/session.js';

/**
 * Runs the backbone over pieces of prompts, one row at a time: attention over several positions of a row that is not
 * empty works for a batch of one. Hidden states are asked for only where they are to be scored.
 */
export class Prefill implements Closable {
  readonly #session: Session;
  readonly #cache: KvCache;
  readonly #chunkSize: number;
  readonly #inputs: CacheInputs;
  readonly #bindings = new Map<number, Binding>();
  readonly #owned = new HandleStack();

  constructor(session: Session, cache: KvCache, chunkSize: number) {
    this.#session = session;
    this.#cache = cache;
    this.#chunkSize = chunkSize;
    this.#inputs = this.#owned.own(
      new CacheInputs(session.hostAllocator, cache, cache.size.contextChunks * chunkSize),
    );
  }

  /** Appends a piece to its slot's row; one native call. */
  run(piece: PrefillPiece): Promise<void> {
    return this.#run(this.#lengthen(piece), this.#binding(piece.slot));
  }

  /** The same; and writes the hidden states of its chunks to a tensor that is asked for and closed in between. */
  async runForStates(piece: PrefillPiece, statesOf: (chunks: number) => Tensor): Promise<void> {
    const lengthened = this.#lengthen(piece);
    const states = statesOf(lengthened.tokens.length / this.#chunkSize);
    const binding = this.#makeBinding(piece.slot);
    try {
      binding.bindOutput('hidden', states);
      await this.#run(lengthened, binding);
    } finally {
      binding.close();
      states.close();
    }
  }

  close(): void {
    this.#bindings.clear();
    this.#owned.close();
  }

  async #run({ position, tokens }: PrefillPiece, binding: Binding): Promise<void> {
    this.#inputs.bindIds(binding, 1, tokens.length);
    this.#inputs.writeIds(0, tokens);
    this.#inputs.writeLengths([position + tokens.length / this.#chunkSize]);
    await binding.run();
  }

  /**
   * A single chunk would go through another attention kernel, with other rounding, and the text would depend on how
   * the prompt was cut. So it runs twice over: what the second copy writes behind it is overwritten by whatever comes
   * next, before anything reads it.
   */
  #lengthen(piece: PrefillPiece): PrefillPiece {
    const { position, tokens } = piece;
    const isSingle = tokens.length === this.#chunkSize && position + 2 <= this.#cache.size.contextChunks;
    return isSingle ? { ...piece, tokens: [...tokens, ...tokens] } : piece;
  }

  #binding(slot: number): Binding {
    const known = this.#bindings.get(slot);
    if (known !== undefined) return known;
    const binding = this.#owned.own(this.#makeBinding(slot));
    this.#bindings.set(slot, binding);
    return binding;
  }

  #makeBinding(slot: number): Binding {
    const binding = new Binding(this.#session);
    this.#inputs.bind(binding, slot, 1, this.#chunkSize);
    return binding;
  }
}
