/** Takes chunks from the engine as they are made and keeps them for a reader who may be slow, counting them. */
import { ChunkStream } from '../../runtime/chunk-stream.js';
import type { ChunkEvent } from '../../runtime/request.js';

/** Is told what passes by. */
export interface RelayObserver {
  readonly onChunk: (event: ChunkEvent) => void;
  /** By how many the chunks that wait for the reader became more (or, below 0, fewer). */
  readonly onUnread: (change: number) => void;
  /** Once: the engine's last word on this choice; `left` where the reader went first. */
  readonly onEnd: (ending: 'done' | 'left' | { readonly error: unknown }) => void;
}

/** The same chunks and the same end as the source's. */
export class ChunkRelay implements AsyncIterableIterator<ChunkEvent> {
  readonly #source: AsyncIterator<ChunkEvent>;
  readonly #observer: RelayObserver;
  readonly #kept = new ChunkStream(() => {});
  #unread = 0;
  #hasLeft = false;

  constructor(source: AsyncIterable<ChunkEvent>, observer: RelayObserver) {
    this.#source = source[Symbol.asyncIterator]();
    this.#observer = observer;
    void this.#pump();
  }

  next(): Promise<IteratorResult<ChunkEvent, undefined>> {
    return this.#kept.next().then(result => {
      if (!result.done && !this.#hasLeft) this.#changeUnread(-1);
      return result;
    });
  }

  /** Not awaited at the source: the reader has left, whatever the engine does now. */
  return(): Promise<IteratorResult<ChunkEvent, undefined>> {
    this.#hasLeft = true;
    this.#changeUnread(-this.#unread);
    void this.#source.return?.();
    return this.#kept.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #pump(): Promise<void> {
    try {
      for (let result = await this.#source.next(); !result.done; result = await this.#source.next()) {
        if (this.#hasLeft) break;
        this.#observer.onChunk(result.value);
        this.#changeUnread(1);
        this.#kept.push(result.value);
      }
      this.#observer.onEnd(this.#hasLeft ? 'left' : 'done');
      this.#kept.end();
    } catch (error) {
      this.#observer.onEnd({ error });
      this.#kept.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #changeUnread(change: number): void {
    this.#unread += change;
    this.#observer.onUnread(change);
  }
}
