/** A clock that moves when a test says so. */
import type { Clock } from '../clock.js';

export class FakeClock implements Clock {
  #nowMs = 0;
  #sleepers: { readonly timeMs: number; readonly wake: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  sleepUntil(timeMs: number): Promise<void> {
    if (timeMs <= this.#nowMs) return Promise.resolve();
    return new Promise(wake => {
      this.#sleepers.push({ timeMs, wake });
    });
  }

  /** Goes from one sleeper's time to the next until nobody sleeps. */
  async run(): Promise<void> {
    for (;;) {
      await settle();
      const next = this.#sleepers.sort((a, b) => a.timeMs - b.timeMs).shift();
      if (!next) return;
      this.#nowMs = Math.max(this.#nowMs, next.timeMs);
      next.wake();
    }
  }
}

/** Lets everything that needs no time happen. */
function settle(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
