/** Open loop: requests start at given times, whether or not earlier ones have ended. */
import type { Clock } from '../clock.js';
import type { Send } from './closed-loop.js';

/**
 * Latency counts from the intended start: a server that stalls delays requests that a closed loop would not even have
 * sent (coordinated omission).
 *
 * @param arrivalsMs intended starts from the beginning of the run, ascending
 */
export async function runOpenLoop(arrivalsMs: readonly number[], send: Send, clock: Clock): Promise<void> {
  const startMs = clock.now();
  const running: Promise<void>[] = [];
  let goesOn = true;
  for (const [index, arrivalMs] of arrivalsMs.entries()) {
    await clock.sleepUntil(startMs + arrivalMs);
    if (!goesOn) break;
    running.push(
      send(index, startMs + arrivalMs).then(isFine => {
        if (!isFine) goesOn = false;
      }),
    );
  }
  await Promise.all(running);
}
