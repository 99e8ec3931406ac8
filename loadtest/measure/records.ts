/** What a run leaves behind, before it is summed up. */
import type { CompletionTimes } from '../client/completion-call.js';
import type { FailureCode } from '../client/request-failure.js';
import type { Point } from '../load/plan.js';
import type { RawRun } from '../load/raw-throughput.js';
import type { CpuShare } from './cpu.js';

/** Failures of one kind: how many, and the first one's sentence. */
export interface FailureCount {
  readonly code: FailureCode;
  readonly count: number;
  readonly example: string;
}

/** One repetition of streamed requests. */
export interface StreamedRun {
  readonly kind: 'streamed';
  readonly point: Point;
  /** From the first intended start to the last answer's end. */
  readonly wallMs: number;
  readonly answers: readonly CompletionTimes[];
  readonly failures: readonly FailureCount[];
  /** Requests sent, failed ones included. */
  readonly requests: number;
  readonly cpu: CpuShare;
}

/** One repetition of short whole answers. */
export interface WholeRun {
  readonly kind: 'raw';
  readonly point: Point;
  readonly raw: RawRun;
  readonly cpu: CpuShare;
}

export type RunRecord = StreamedRun | WholeRun;

/** Counts failures by code, most frequent first. */
export function countFailures(
  failures: readonly { readonly code: FailureCode; readonly message: string }[],
): FailureCount[] {
  const byCode = new Map<FailureCode, FailureCount>();
  for (const { code, message } of failures) {
    const known = byCode.get(code);
    byCode.set(code, { code, count: (known?.count ?? 0) + 1, example: known?.example ?? message });
  }
  return [...byCode.values()].sort((a, b) => b.count - a.count);
}

/** Adds up counts of several runs. */
export function mergeFailures(lists: readonly (readonly FailureCount[])[]): FailureCount[] {
  const byCode = new Map<FailureCode, FailureCount>();
  for (const { code, count, example } of lists.flat()) {
    const known = byCode.get(code);
    byCode.set(code, { code, count: (known?.count ?? 0) + count, example: known?.example ?? example });
  }
  return [...byCode.values()].sort((a, b) => b.count - a.count);
}
