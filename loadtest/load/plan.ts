/** Which load meets which target, and in what order. */

export type Load =
  | { readonly kind: 'closed'; readonly concurrency: number }
  | { readonly kind: 'open'; readonly ratePerSecond: number }
  /** Short whole answers, as many as go: requests per second of the HTTP side. */
  | { readonly kind: 'raw'; readonly connections: number };

/** One load on one target, once. */
export interface Point {
  /** Number of the target. */
  readonly target: number;
  readonly load: Load;
  readonly temperature: number;
  readonly repetition: number;
}

export interface PlanOptions {
  readonly targetCount: number;
  readonly loads: readonly Load[];
  readonly temperatures: readonly number[];
  readonly repetitions: number;
}

/**
 * All points in the order in which they run: everything once, then all of it again. Targets take turns under the same
 * load, and who begins changes with every turn, so that a machine that is busy for a while, or gets warmer, does not
 * hurt one target alone; and repetitions of one load lie far apart, so that it does not hurt one load alone either.
 */
export function planPoints({ targetCount, loads, temperatures, repetitions }: PlanOptions): Point[] {
  const points: Point[] = [];
  let turn = 0;
  for (let repetition = 0; repetition < repetitions; repetition++) {
    for (const temperature of temperatures) {
      for (const load of loads) {
        for (let offset = 0; offset < targetCount; offset++) {
          points.push({ target: (turn + offset) % targetCount, load, temperature, repetition });
        }
        turn++;
      }
    }
    // With an even number of loads, each would else begin with the same target again.
    if ((temperatures.length * loads.length) % targetCount === 0) turn++;
  }
  return points;
}
