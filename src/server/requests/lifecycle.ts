/** Whether the server takes requests, drains, or has told what still runs to end. */
import { setMaxListeners } from 'node:events';
import { CalmError } from '../../errors.js';

export class Lifecycle {
  #draining = false;
  readonly #ending = new AbortController();

  constructor() {
    // Every request listens to it, and Node would take the eleventh for a leak.
    setMaxListeners(0, this.#ending.signal);
  }

  /** True from the moment on which no new request is taken. */
  get draining(): boolean {
    return this.#draining;
  }

  /** Aborts, with the CalmError that its requests are answered with, once the time to drain is over. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** Stops taking requests; those that run go on. */
  drain(): void {
    this.#draining = true;
  }

  /** Ends the requests that still run. */
  end(): void {
    this.#draining = true;
    this.#ending.abort(shuttingDown());
  }

  /** @throws CalmError shutting_down while the server drains */
  assertOpen(): void {
    if (this.#draining) throw shuttingDown();
  }
}

function shuttingDown(): CalmError {
  return new CalmError('shutting_down', 'The server is shutting down. Try again in a few seconds.');
}
