/** Closed loop: a fixed number of clients, each of which sends its next request when its last one has ended. */
import type { Clock } from '../clock.js';

/** Sends request `index`, which should start at `intendedMs`. It never rejects; false ends the loop early. */
export type Send = (index: number, intendedMs: number) => Promise<boolean>;

/** Resolves when `count` requests have ended, or when a send said stop and all that ran have ended. */
export async function runClosedLoop(count: number, clients: number, send: Send, clock: Clock): Promise<void> {
  let next = 0;
  let goesOn = true;
  const client = async (): Promise<void> => {
    while (goesOn && next < count) {
      const index = next++;
      if (!(await send(index, clock.now()))) goesOn = false;
    }
  };
  await Promise.all(Array.from({ length: Math.min(clients, count) }, client));
}
