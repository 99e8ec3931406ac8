/**
 * How many candidates a step may draw, and who gets them: rows whose decision is open must neither hold up those that
 * are done nor wait for each other.
 *
 * Bounds. Rows that are done wait for one decode and `total` parts at most; a part is a candidate, or one token of a
 * candidate where those are decoded token by token. A row that is open gets at least floor(total / open rows) parts a
 * step, as long as it wants them, and `total` is at least the number of open rows: so a decision that takes d parts is
 * made within ceil(d / floor(total / rows)) steps, whatever the others ask for.
 */

/** Shares of one step's candidates. */
export class DrawShares {
  #left: number;
  /** Candidates that each row may still take before the rest is shared out again. */
  readonly #quotas: number[];

  /** `total`: candidates of this step; `rows`: rows of the batch. */
  constructor(total: number, rows: number) {
    this.#left = total;
    this.#quotas = new Array<number>(rows).fill(0);
  }

  /** Candidates for each row of the next round, by what each row wants; all 0 where the step's candidates are used up. */
  grant(wanted: readonly number[]): number[] {
    const open = wanted.filter(count => count > 0).length;
    const canTake = (count: number, row: number) => Math.min(count, this.#quotas[row]!);
    if (open > 0 && wanted.every((count, row) => canTake(count, row) === 0)) {
      this.#quotas.fill(Math.floor(this.#left / open));
    }
    const grants = wanted.map(canTake);
    for (const [row, count] of grants.entries()) {
      this.#quotas[row]! -= count;
      this.#left -= count;
    }
    return grants;
  }
}

/**
 * A step draws at most this many times as long as a decode call takes: rows that take one candidate a chunk keep
 * 1 / (1 + 8) of their pace.
 */
const DRAW_TIME_PER_DECODE = 8;
/**
 * Where every row draws, none is held up by much: a chunk takes all of them longer than this, and a decode call for the few
 * that are ready costs as much as one for all, so the fewer calls the better: 1 / (1 + 32) of the time.
 */
const DRAW_TIME_WHERE_ALL_DRAW = 32;
/** But a request that waits for its turn waits for no longer than this, unless eight decodes take longer. */
const LONGEST_DRAW_MS = 250;
/** Fewer are not worth a native call. */
const SMALLEST_TOTAL = 32;
const LARGEST_TOTAL = 4096;
/** Weight of the newest measurement in the running means. */
const NEWEST = 0.1;

/**
 * The number of candidates of a step: a fixed one, or as many as take eight times as long as a decode call (32 times where
 * no row is done with one candidate), by the times of the calls so far. It never changes what is chosen, only when.
 */
export class DrawBudget {
  readonly #fixed: number | undefined;
  #decodeMs: number | undefined;
  /** Means of the calls' times and candidates: a small call says little of what a candidate costs. */
  #callMs: number | undefined;
  #callCandidates: number | undefined;

  constructor(fixed?: number) {
    this.#fixed = fixed;
  }

  /** Candidates for the next step, at least one for each open row. `allDraw`: no row is done with one candidate. */
  total(openRows: number, allDraw = false): number {
    return Math.max(this.#fixed ?? this.#measured(allDraw), openRows);
  }

  decodeTook(ms: number): void {
    this.#decodeMs = runningMean(this.#decodeMs, ms);
  }

  drawTook(ms: number, candidates: number): void {
    this.#callMs = runningMean(this.#callMs, ms);
    this.#callCandidates = runningMean(this.#callCandidates, candidates);
  }

  #measured(allDraw: boolean): number {
    if (!this.#decodeMs || !this.#callMs || !this.#callCandidates) return SMALLEST_TOTAL;
    const candidateMs = this.#callMs / this.#callCandidates;
    const usualMs = DRAW_TIME_PER_DECODE * this.#decodeMs;
    const longMs = Math.min(DRAW_TIME_WHERE_ALL_DRAW * this.#decodeMs, LONGEST_DRAW_MS);
    const total = Math.floor((allDraw ? Math.max(usualMs, longMs) : usualMs) / candidateMs);
    return Math.min(LARGEST_TOTAL, Math.max(SMALLEST_TOTAL, total));
  }
}

function runningMean(mean: number | undefined, value: number): number {
  return mean === undefined ? value : mean + NEWEST * (value - mean);
}
