/** Closed and open loop on a clock that stands still unless told otherwise. */
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../testing/fake-clock.js';
import { runClosedLoop, type Send } from './closed-loop.js';
import { runOpenLoop } from './open-loop.js';

interface Sent {
  readonly index: number;
  readonly intendedMs: number;
  readonly sentMs: number;
}

/** A server that needs `serviceMs(index)` for each request, however many there are. */
function recorder(
  clock: FakeClock,
  serviceMs: (index: number) => number,
  stopAfter = Number.POSITIVE_INFINITY,
) {
  const sent: Sent[] = [];
  let running = 0;
  const seen = { most: 0 };
  const send: Send = async (index, intendedMs) => {
    sent.push({ index, intendedMs, sentMs: clock.now() });
    running++;
    seen.most = Math.max(seen.most, running);
    await clock.sleepUntil(clock.now() + serviceMs(index));
    running--;
    return sent.length < stopAfter;
  };
  return { sent, seen, send };
}

describe('runClosedLoop', () => {
  it('keeps every client busy and sends each request once', async () => {
    const clock = new FakeClock();
    const { sent, seen, send } = recorder(clock, index => (index === 0 ? 100 : 10));
    const run = runClosedLoop(7, 2, send, clock);
    await clock.run();
    await run;
    expect(sent.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    // The slow first request holds one client; the other takes all the rest.
    expect(sent.map(({ sentMs }) => sentMs)).toEqual([0, 0, 10, 20, 30, 40, 50]);
    expect(seen.most).toBe(2);
  });

  it('starts no more clients than there are requests', async () => {
    const clock = new FakeClock();
    const { seen, send } = recorder(clock, () => 10);
    const run = runClosedLoop(3, 32, send, clock);
    await clock.run();
    await run;
    expect(seen.most).toBe(3);
  });

  it('ends early when a send says so, and waits for what runs', async () => {
    const clock = new FakeClock();
    const { sent, send } = recorder(clock, () => 10, 4);
    const run = runClosedLoop(100, 2, send, clock);
    await clock.run();
    await run;
    expect(sent.length).toBeLessThanOrEqual(5);
  });
});

describe('runOpenLoop', () => {
  it('sends at the intended times, whether or not answers have come', async () => {
    const clock = new FakeClock();
    const { sent, seen, send } = recorder(clock, () => 1000);
    const run = runOpenLoop([0, 5, 20, 21], send, clock);
    await clock.run();
    await run;
    expect(sent.map(({ sentMs }) => sentMs)).toEqual([0, 5, 20, 21]);
    expect(seen.most).toBe(4);
  });

  it('counts from the intended start where the client comes late', async () => {
    const clock = new FakeClock();
    const starts: number[] = [];
    const send: Send = async (_, intendedMs) => {
      starts.push(intendedMs);
      return true;
    };
    // The client oversleeps: it wakes at 50 for what was due at 10, 20 and 30.
    const lateClock = {
      now: () => clock.now(),
      sleepUntil: (ms: number) => clock.sleepUntil(ms === 10 ? 50 : ms),
    };
    const run = runOpenLoop([10, 20, 30, 60], send, lateClock);
    await clock.run();
    await run;
    expect(starts).toEqual([10, 20, 30, 60]);
  });

  it('ends early when a send says so', async () => {
    const clock = new FakeClock();
    const { sent, send } = recorder(clock, () => 1, 2);
    const run = runOpenLoop([0, 10, 20, 30, 40], send, clock);
    await clock.run();
    await run;
    expect(sent).toHaveLength(2);
  });
});
