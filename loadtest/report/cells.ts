/** Cells of tables, and what stands in them. */
import type { Load } from '../load/plan.js';
import type { Spread } from '../measure/statistics.js';
import type { Report } from './report.js';

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly body: readonly (readonly string[])[];
  /** Columns from this one on hold numbers. */
  readonly firstNumber: number;
}

/** The load as a cell. */
export function loadName(load: Load): string {
  if (load.kind === 'closed') return `${load.concurrency} at a time`;
  if (load.kind === 'open') return `${number(load.ratePerSecond)} /s`;
  return `${load.connections} connections`;
}

/** A figure with three digits that count; a dash for none. */
export function number(value: number | null): string {
  if (value === null) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Median with its range. */
export function spreadCell({ median, least, most }: Spread): string {
  return least === most ? number(median) : `${number(median)} (${number(least)}–${number(most)})`;
}

/** The target as a cell. */
export function nameOf(report: Pick<Report, 'targets'>, target: number): string {
  return report.targets[target]?.target.name ?? '?';
}
