/** Time as the load generator sees it; tests bring their own. */

export interface Clock {
  /** Milliseconds from any fixed moment. */
  now(): number;
  /** Resolves once `now()` has reached `timeMs`, at once where it has already. */
  sleepUntil(timeMs: number): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleepUntil: timeMs => {
    const delayMs = timeMs - performance.now();
    // A timer may fire up to a millisecond early or late; latency counts from the intended start either way.
    return delayMs <= 0 ? Promise.resolve() : new Promise(resolve => setTimeout(resolve, delayMs));
  },
};
