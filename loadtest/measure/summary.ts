/** Sums repetitions up into one row for each target and load. */
import type { CompletionTimes } from '../client/completion-call.js';
import type { DrawCount } from '../client/completion-object.js';
import type { Load } from '../load/plan.js';
import type { LatencyBound } from '../settings.js';
import {
  countFailures,
  type FailureCount,
  mergeFailures,
  type RunRecord,
  type StreamedRun,
  type WholeRun,
} from './records.js';
import { median, type Percentiles, percentiles, type Spread, spread } from './statistics.js';

/** Figures of one target under one load. Latencies are over the requests of all repetitions together. */
export interface Row {
  /** Number of the target. */
  readonly target: number;
  readonly load: Exclude<Load, { kind: 'raw' }>;
  readonly temperature: number;
  readonly repetitions: number;
  /** All repetitions together; failed ones included. */
  readonly requests: number;
  readonly failed: number;
  readonly failures: readonly FailureCount[];
  /** Tokens of right answers over the time of a repetition. */
  readonly tokensPerSecond: Spread;
  /** One value for each repetition, in their order: what comparisons pair. */
  readonly tokensPerSecondRuns: readonly number[];
  readonly requestsPerSecond: Spread;
  readonly ttftMs: Percentiles;
  readonly interChunkMs: Percentiles;
  /** Amortised: (end - first chunk) / (tokens - tokens of the first chunk). */
  readonly perTokenMs: Percentiles;
  readonly e2eMs: Percentiles;
  /** How late requests left the client. */
  readonly lagMs: Percentiles;
  readonly promptTokens: number | null;
  readonly outputTokens: number | null;
  readonly tokensPerChunk: number | null;
  /** Of all answers whose server tells; null where none does. */
  readonly draws: DrawCount | null;
  readonly goodput: Goodput | null;
  readonly clientCores: number | null;
  readonly serverCores: number | null;
}

/** Requests that kept every bound. Failed ones kept none. */
export interface Goodput {
  readonly requestsPerSecond: number;
  readonly share: number;
}

/** Figures of short whole answers. */
export interface RawRow {
  readonly target: number;
  readonly connections: number;
  readonly temperature: number;
  readonly requests: number;
  readonly failed: number;
  readonly failures: readonly FailureCount[];
  readonly requestsPerSecond: Spread;
  readonly tokensPerSecond: Spread;
  readonly latencyP50Ms: number | null;
  readonly latencyP99Ms: number | null;
  readonly clientCores: number | null;
  readonly serverCores: number | null;
}

/** Rows in the order in which their loads first ran, targets in their own order. */
export function summarize(
  records: readonly RunRecord[],
  bound: LatencyBound | null,
): { rows: Row[]; rawRows: RawRow[] } {
  const rows: Row[] = [];
  const rawRows: RawRow[] = [];
  for (const group of groupRecords(records)) {
    const streamed = group.filter(record => record.kind === 'streamed');
    const raw = group.filter(record => record.kind === 'raw');
    if (streamed.length > 0) rows.push(describeRow(streamed, bound));
    if (raw.length > 0) rawRows.push(describeRawRow(raw));
  }
  return { rows, rawRows };
}

function groupRecords(records: readonly RunRecord[]): RunRecord[][] {
  const loads = new Map<string, Map<number, RunRecord[]>>();
  for (const record of records) {
    const { load, temperature, target } = record.point;
    const key = JSON.stringify([temperature, load]);
    const byTarget = loads.get(key) ?? new Map<number, RunRecord[]>();
    loads.set(key, byTarget);
    byTarget.set(target, [...(byTarget.get(target) ?? []), record]);
  }
  return [...loads.values()].flatMap(byTarget =>
    [...byTarget.entries()].sort(([a], [b]) => a - b).map(([, group]) => group),
  );
}

function describeRow(runs: readonly StreamedRun[], bound: LatencyBound | null): Row {
  const { point } = runs[0] as StreamedRun;
  if (point.load.kind === 'raw') throw new RangeError('Streamed runs have a closed or an open load.');
  const answers = runs.flatMap(run => run.answers);
  const tokensPerSecondRuns = runs.map(run =>
    rate(
      sum(run.answers, answer => answer.tokens),
      run.wallMs,
    ),
  );
  const requests = sum(runs, run => run.requests);
  return {
    target: point.target,
    load: point.load,
    temperature: point.temperature,
    repetitions: runs.length,
    requests,
    failed: requests - answers.length,
    failures: mergeFailures(runs.map(run => run.failures)),
    tokensPerSecond: needSpread(tokensPerSecondRuns),
    tokensPerSecondRuns,
    requestsPerSecond: needSpread(runs.map(run => rate(run.answers.length, run.wallMs))),
    ttftMs: percentiles(answers.map(answer => answer.ttftMs)),
    interChunkMs: percentiles(answers.flatMap(answer => answer.gapsMs)),
    perTokenMs: percentiles(answers.flatMap(answer => answer.msPerToken ?? [])),
    e2eMs: percentiles(answers.map(answer => answer.e2eMs)),
    lagMs: percentiles(answers.map(answer => answer.lagMs)),
    promptTokens: mean(answers.flatMap(answer => answer.promptTokens ?? [])),
    outputTokens: mean(answers.map(answer => answer.tokens)),
    tokensPerChunk: ratio(
      sum(answers, answer => answer.tokens),
      sum(answers, answer => answer.chunks),
    ),
    draws: sumDraws(answers.flatMap(({ draws }) => draws ?? [])),
    goodput: bound && describeGoodput(runs, requests, bound),
    clientCores: median(runs.flatMap(run => run.cpu.clientCores ?? [])),
    serverCores: median(runs.flatMap(run => run.cpu.serverCores ?? [])),
  };
}

/** @returns null for no counts */
export function sumDraws(counts: readonly DrawCount[]): DrawCount | null {
  if (counts.length === 0) return null;
  return { draws: sum(counts, count => count.draws), chunks: sum(counts, count => count.chunks) };
}

function describeGoodput(runs: readonly StreamedRun[], requests: number, bound: LatencyBound): Goodput {
  const good = (run: StreamedRun): number => run.answers.filter(answer => keeps(answer, bound)).length;
  return {
    requestsPerSecond: median(runs.map(run => rate(good(run), run.wallMs))) ?? 0,
    share: ratio(sum(runs, good), requests) ?? 0,
  };
}

function keeps(answer: CompletionTimes, { ttftMs, perTokenMs, e2eMs }: LatencyBound): boolean {
  return (
    (ttftMs === null || answer.ttftMs <= ttftMs) &&
    (perTokenMs === null || (answer.msPerToken ?? 0) <= perTokenMs) &&
    (e2eMs === null || answer.e2eMs <= e2eMs)
  );
}

function describeRawRow(runs: readonly WholeRun[]): RawRow {
  const { point } = runs[0] as WholeRun;
  return {
    target: point.target,
    connections: point.load.kind === 'raw' ? point.load.connections : 0,
    temperature: point.temperature,
    requests: sum(runs, run => run.raw.requests),
    failed: sum(runs, run => run.raw.failures.length),
    failures: mergeFailures(runs.map(run => countFailures(run.raw.failures))),
    requestsPerSecond: needSpread(runs.map(run => run.raw.requestsPerSecond)),
    tokensPerSecond: needSpread(runs.map(run => run.raw.tokensPerSecond)),
    latencyP50Ms: median(runs.map(run => run.raw.latencyMs.p50)),
    latencyP99Ms: median(runs.map(run => run.raw.latencyMs.p99)),
    clientCores: median(runs.flatMap(run => run.cpu.clientCores ?? [])),
    serverCores: median(runs.flatMap(run => run.cpu.serverCores ?? [])),
  };
}

function needSpread(samples: readonly number[]): Spread {
  return spread(samples) ?? { median: 0, least: 0, most: 0 };
}

function rate(count: number, wallMs: number): number {
  return wallMs > 0 ? (count * 1000) / wallMs : 0;
}

function ratio(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

function sum<Item>(items: readonly Item[], value: (item: Item) => number): number {
  return items.reduce((total, item) => total + value(item), 0);
}

function mean(samples: readonly number[]): number | null {
  return ratio(
    sum(samples, sample => sample),
    samples.length,
  );
}
