/** Which rows of the batch a decode call takes in. */

/** Calls begin at a multiple of this: a call costs as much as a few rows, and bindings are kept for each extent. */
const BLOCK = 4;

/** Rows first, first + 1, ..., first + count - 1. */
export interface RowRun {
  readonly first: number;
  readonly count: number;
}

/**
 * The fewest runs of rows that hold every needed one, cut at multiples of four: a row that is not needed goes along
 * where one of its block of four is, and no call is made for blocks without one.
 */
export function decodeRuns(isNeeded: readonly boolean[]): RowRun[] {
  const runs: RowRun[] = [];
  for (let first = 0; first < isNeeded.length; first += BLOCK) {
    const block = isNeeded.slice(first, first + BLOCK);
    if (!block.includes(true)) continue;
    const last = runs.at(-1);
    if (last && last.first + last.count === first) {
      runs[runs.length - 1] = { first: last.first, count: last.count + block.length };
    } else runs.push({ first, count: block.length });
  }
  return runs;
}
