/** The way of chunk events from the engine to one reader, who may come late, be slow, or leave. */
import type { ChunkEvent } from './request.js';

type Ending = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly error: Error };

interface Reader {
  resolve(result: IteratorResult<ChunkEvent, undefined>): void;
  reject(error: Error): void;
}

/** An async iterator over one request's chunks. What is pushed waits until it is read. */
export class ChunkStream implements AsyncIterableIterator<ChunkEvent> {
  readonly #events: ChunkEvent[] = [];
  readonly #readers: Reader[] = [];
  readonly #onLeave: () => void;
  #ending: Ending | undefined;

  /** `onLeave` is called where the reader stops early. */
  constructor(onLeave: () => void) {
    this.#onLeave = onLeave;
  }

  /** Hands one chunk over. */
  push(event: ChunkEvent): void {
    const reader = this.#readers.shift();
    if (reader) reader.resolve({ done: false, value: event });
    else this.#events.push(event);
  }

  /** No more chunks: the reader gets what is left, then the end. */
  end(): void {
    this.#close({ kind: 'done' });
  }

  /** The reader gets what is left, then the error, then the end. */
  fail(error: Error): void {
    this.#close({ kind: 'failed', error });
  }

  next(): Promise<IteratorResult<ChunkEvent, undefined>> {
    const event = this.#events.shift();
    if (event) return Promise.resolve({ done: false, value: event });
    if (this.#ending?.kind === 'failed') {
      const { error } = this.#ending;
      this.#ending = { kind: 'done' };
      return Promise.reject(error);
    }
    if (this.#ending) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<ChunkEvent, undefined>> {
    this.#events.length = 0;
    this.end();
    this.#onLeave();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #close(ending: Ending): void {
    if (this.#ending) return;
    this.#ending = ending;
    for (const reader of this.#readers.splice(0)) {
      if (this.#ending.kind === 'failed') {
        reader.reject(this.#ending.error);
        this.#ending = { kind: 'done' };
      } else reader.resolve({ done: true, value: undefined });
    }
  }
}
