/** What a run measures, after the command line has been read and filled in. */
import type { Load } from './load/plan.js';

/** Bounds that a request must keep to count as good; milliseconds. Null is no bound. */
export interface LatencyBound {
  readonly ttftMs: number | null;
  readonly perTokenMs: number | null;
  readonly e2eMs: number | null;
}

export interface RunSettings {
  readonly loads: readonly Load[];
  readonly temperatures: readonly number[];
  readonly repetitions: number;
  /** No repetition but the first is begun that would end later than this after the first request; null for any time. */
  readonly timeLimitMs: number | null;
  /** Requests of one repetition; null takes `requestsFor`. */
  readonly requests: number | null;
  /** Requests to each target before anything is timed. */
  readonly warmupRequests: number;
  /** A file's path from the working directory, so that reports name no home of anyone; or "random" for random token ids. */
  readonly prompts: string;
  /** The file's prompts in the order in which they are sent; null for random token ids. */
  readonly promptTexts: readonly string[] | null;
  /** Null sends the prompts of the file as they are. */
  readonly inputTokens: number | null;
  readonly outputTokens: number;
  readonly rawRequests: number;
  readonly rawOutputTokens: number;
  readonly ignoreEos: boolean;
  readonly allowLoops: boolean;
  readonly seed: number;
  readonly timeoutMs: number;
  readonly goodput: LatencyBound | null;
  /** Name of the target that the others are compared with; null lets `chooseBaseline` decide. */
  readonly baseline: string | null;
}

/** Seconds of arrivals at a rate where --requests does not say how many there are. */
const openLoopSeconds = 10;
const leastRequests = 8;
/** Requests of every client of a closed loop, so that the ramp at both ends weighs little. */
const requestsPerClient = 4;

/** Requests of one repetition under a load. */
export function requestsFor(load: Load, settings: Pick<RunSettings, 'requests' | 'rawRequests'>): number {
  if (load.kind === 'raw') return settings.rawRequests;
  if (load.kind === 'open') {
    return settings.requests ?? Math.max(leastRequests, Math.ceil(load.ratePerSecond * openLoopSeconds));
  }
  // With fewer requests than clients the row's concurrency would not be true.
  const wanted = settings.requests ?? Math.max(leastRequests, requestsPerClient * load.concurrency);
  return Math.max(wanted, load.concurrency);
}
