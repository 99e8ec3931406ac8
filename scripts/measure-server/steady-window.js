/**
 * The time in which all streams of a round decode: from the moment when the last of them has its WARM_UP_CHUNKS-th
 * chunk until the first of them ends. Requests, prompts and half-empty batches lie outside.
 */
import { readdirSync, readFileSync } from 'node:fs';

export const WARM_UP_CHUNKS = 8;

export class SteadyWindow {
  #seen;
  #warming;
  #chunks = 0;
  #all = 0;
  #start = null;
  #end = null;
  #begunMs = performance.now();
  #read;

  /** @param {() => object} read counters at an edge of the window */
  constructor(streams, read) {
    this.#seen = new Uint32Array(streams);
    this.#warming = streams;
    this.#read = read;
  }

  /** A stream has `count` more chunks. */
  chunks(stream, count) {
    const before = this.#seen[stream];
    this.#seen[stream] += count;
    this.#all += count;
    if (before < WARM_UP_CHUNKS && this.#seen[stream] >= WARM_UP_CHUNKS) this.#warming -= 1;
    if (this.#start === null) {
      if (this.#warming === 0) this.#start = { ms: performance.now(), ...this.#read() };
    } else if (this.#end === null) this.#chunks += count;
  }

  /** A stream has ended. */
  ended() {
    if (this.#start === null)
      throw new Error('a stream ended before all of them decoded: ask for more chunks');
    this.#end ??= { ms: performance.now(), ...this.#read() };
  }

  /**
   * Chunks a second in the window, the difference of each counter there, and chunks a second of the whole round.
   *
   * @throws Error where the first stream ended before the last one decoded
   */
  result() {
    if (this.#start === null || this.#chunks === 0) {
      throw new Error('no time in which all streams decoded: ask for more --chunks, or a shorter --context');
    }
    const [start, end] = [this.#start, this.#end];
    const difference = Object.fromEntries(Object.keys(start).map(key => [key, end[key] - start[key]]));
    const wholeMs = performance.now() - this.#begunMs;
    return {
      ...difference,
      chunks: this.#chunks,
      perSecond: (this.#chunks * 1000) / difference.ms,
      wholePerSecond: (this.#all * 1000) / wholeMs,
    };
  }
}

/** CPU milliseconds of a process and its threads, in nanosecond steps (Linux: the scheduler's own count). */
export function cpuMsOf(pid) {
  const folder = `/proc/${pid}/task`;
  const times = readdirSync(folder).map(
    thread => readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ')[0],
  );
  return times.reduce((sum, ns) => sum + Number(ns) / 1e6, 0);
}
