/** What a reader must know before believing a run's figures. */
import type { TargetResult } from '../load/run-plan.js';
import type { Machine } from '../measure/machine.js';
import type { RawRow, Row } from '../measure/summary.js';
import type { RunSettings } from '../settings.js';

/** A single-threaded client that is busier than this share of a core adds delays of its own. */
const busyClientCores = 0.8;
/** Repetitions that differ by more than this share of their median are not one figure. */
const wideSpread = 0.1;
const busyMachineLoad = 0.5;

/** What `findWarnings` looks at. */
export interface WarningInput {
  readonly machine: Machine;
  readonly settings: RunSettings;
  /** Those that were done; `settings` says how many were wanted. */
  readonly repetitions: number;
  readonly targets: readonly Pick<TargetResult, 'target' | 'samplingExtensions'>[];
  readonly rows: readonly Row[];
  readonly rawRows: readonly RawRow[];
}

/** Sentences, the gravest first; empty where there is nothing to say. */
export function findWarnings(input: WarningInput): string[] {
  const { machine, settings, repetitions, targets, rows, rawRows } = input;
  const busiest = Math.max(0, ...[...rows, ...rawRows].map(({ clientCores }) => clientCores ?? 0));
  const wide = rows.filter(
    ({ tokensPerSecond: { median, least, most } }) => most - least > wideSpread * median,
  );
  const warnings: string[] = [];
  if (machine.loadBefore > busyMachineLoad) {
    warnings.push(
      `The machine was not idle before the run (load average ${machine.loadBefore.toFixed(1)} on ${machine.cores} ` +
        'cores): only ratios between targets that took turns mean something.',
    );
  }
  const refusing = targets.filter(
    ({ samplingExtensions }) => samplingExtensions && samplingExtensions.top_k === undefined,
  );
  if (refusing.length > 0) {
    warnings.push(
      `Refused top_k and min_p: ${refusing.map(({ target }) => target.name).join(', ')}. If such a server has defaults ` +
        'of its own for them, it drew from another law than the others.',
    );
  }
  if (busiest > busyClientCores) {
    warnings.push(
      `The client kept up to ${busiest.toFixed(2)} of a core busy: at such loads it may be the limit, not the server.`,
    );
  }
  if (wide.length > 0) {
    const share = `${wide.length} of ${rows.length}`;
    warnings.push(`In ${share} rows the repetitions lie more than 10 % apart: look at their range.`);
  }
  if (repetitions < settings.repetitions) {
    warnings.push(
      `Only ${repetitions} of ${settings.repetitions} repetitions fitted into the time limit; --full or --time-limit 0 takes all.`,
    );
  }
  if (repetitions === 1) warnings.push('There was one repetition only, so the figures have no range.');
  return warnings;
}
