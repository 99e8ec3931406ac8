/** Ownership of native handles: one owner each, released once, in the reverse order of their making. */
import { CalmError } from '../../errors.js';

/** An address in native memory, as koffi gives it. No module outside this folder handles one. */
export type Pointer = bigint;

/** Anything that holds something native until it is closed. */
export interface Closable {
  close(): void;
}

/** The one owner of one native handle. Closing it twice is harmless; using it after closing is an error. */
export class Handle implements Closable, Disposable {
  #pointer: Pointer | null;
  readonly #what: string;
  readonly #release: (pointer: Pointer) => void;

  protected constructor(what: string, pointer: Pointer, release: (pointer: Pointer) => void) {
    this.#what = what;
    this.#pointer = pointer;
    this.#release = release;
  }

  /** The handle itself, for calls into the library. */
  get pointer(): Pointer {
    if (this.#pointer === null) {
      throw new CalmError('internal', `The ${this.#what} is used after it was closed.`);
    }
    return this.#pointer;
  }

  get closed(): boolean {
    return this.#pointer === null;
  }

  close(): void {
    const pointer = this.#pointer;
    if (pointer === null) return;
    this.#pointer = null;
    this.#release(pointer);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Owns any number of closable things and closes them last in, first out. */
export class HandleStack implements Closable, Disposable {
  readonly #owned: Closable[] = [];

  /** Takes ownership and gives the thing back. */
  own<T extends Closable>(thing: T): T {
    this.#owned.push(thing);
    return thing;
  }

  close(): void {
    for (let thing = this.#owned.pop(); thing !== undefined; thing = this.#owned.pop()) thing.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Runs `build` with a stack that is closed again where `build` throws: a half-made object leaks nothing. */
export function buildOwned<T>(build: (owned: HandleStack) => T): T {
  const owned = new HandleStack();
  try {
    return build(owned);
  } catch (error) {
    owned.close();
    throw error;
  }
}
