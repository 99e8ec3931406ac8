/** How many times as fast a target is as the baseline under the same load. */
import type { TargetResult } from '../load/run-plan.js';
import { type Spread, spread } from './statistics.js';
import type { Row } from './summary.js';

export interface Comparison {
  readonly target: number;
  readonly baseline: number;
  readonly load: Row['load'];
  readonly temperature: number;
  /** Tokens/s over the baseline's, paired by repetition: both ran one after the other, on the same machine state. */
  readonly ratio: Spread;
}

/**
 * Number of the target to compare with: the named one, else the first token model, else the last target. Null where
 * there is nothing to compare.
 */
export function chooseBaseline(targets: readonly TargetResult[], name: string | null): number | null {
  if (targets.length < 2) return null;
  if (name !== null) return targets.findIndex(({ target }) => target.name === name);
  const tokenModel = targets.findIndex(({ kind }) => kind === 'token');
  return tokenModel >= 0 ? tokenModel : targets.length - 1;
}

/** One comparison for each other target and load that both ran. */
export function compareRows(rows: readonly Row[], baseline: number): Comparison[] {
  return rows.flatMap(row => {
    if (row.target === baseline) return [];
    const other = rows.find(candidate => candidate.target === baseline && hasSameLoad(candidate, row));
    const ratios = row.tokensPerSecondRuns.flatMap((value, run) => {
      const base = other?.tokensPerSecondRuns[run];
      return base !== undefined && base > 0 && value > 0 ? [value / base] : [];
    });
    const ratio = spread(ratios);
    return ratio
      ? [{ target: row.target, baseline, load: row.load, temperature: row.temperature, ratio }]
      : [];
  });
}

function hasSameLoad(a: Row, b: Row): boolean {
  return a.temperature === b.temperature && JSON.stringify(a.load) === JSON.stringify(b.load);
}
