/** What a reader must know before believing a run's figures. */
import type { Machine } from '../measure/machine.js';
import type { RawRow, Row } from '../measure/summary.js';
import type { RunSettings } from '../settings.js';

/** A single-threaded client that is busier than this share of a core adds delays of its own. */
const busyClientCores = 0.8;
/** Repetitions that differ by more than this share of their median are not one figure. */
const wideSpread = 0.1;
const busyMachineLoad = 0.5;

/** @param repetitions that were done; `settings` says how many were wanted */
export function findWarnings(
  machine: Machine,
  settings: RunSettings,
  repetitions: number,
  rows: readonly Row[],
  rawRows: readonly RawRow[],
): string[] {
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
