/** Everything that a report shows, whatever its format. */

import type { TargetResult } from '../load/run-plan.js';
import type { Comparison } from '../measure/comparison.js';
import type { Machine } from '../measure/machine.js';
import type { Quality } from '../measure/quality.js';
import type { RawRow, Row } from '../measure/summary.js';
import type { RunSettings } from '../settings.js';

export interface ReportTarget extends TargetResult {
  readonly quality: Quality;
}

export interface Report {
  /** The command, without keys. */
  readonly command: string;
  /** ISO 8601. */
  readonly started: string;
  readonly durationSeconds: number;
  readonly machine: Machine;
  readonly settings: RunSettings;
  readonly targets: readonly ReportTarget[];
  readonly rows: readonly Row[];
  readonly rawRows: readonly RawRow[];
  readonly comparisons: readonly Comparison[];
  /** Sentences that a reader of the figures must know. */
  readonly warnings: readonly string[];
}

/** True where every target was measured to the end and every answer was right. */
export function isClean(report: Pick<Report, 'targets' | 'rows' | 'rawRows'>): boolean {
  return (
    report.targets.every(({ problem }) => problem === null) &&
    report.rows.every(({ failed }) => failed === 0) &&
    report.rawRows.every(({ failed }) => failed === 0)
  );
}
