/** Order statistics of samples. */

/** A quantile by linear interpolation between the two nearest samples (R's type 7); null for no samples. */
export function quantile(ascending: ArrayLike<number>, share: number): number | null {
  if (ascending.length === 0) return null;
  const position = (ascending.length - 1) * share;
  const below = ascending[Math.floor(position)] as number;
  const above = ascending[Math.ceil(position)] as number;
  return below + (above - below) * (position - Math.floor(position));
}

/** Ascending copy. */
export function sorted(samples: Iterable<number>): Float64Array {
  return Float64Array.from(samples).sort();
}

export function median(samples: Iterable<number>): number | null {
  return quantile(sorted(samples), 0.5);
}

/** Latency percentiles of one metric over all requests of a row; null where nothing was measured. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly mean: number | null;
  readonly max: number | null;
}

export function percentiles(samples: Iterable<number>): Percentiles {
  const ascending = sorted(samples);
  const { length } = ascending;
  return {
    p50: quantile(ascending, 0.5),
    p90: quantile(ascending, 0.9),
    p95: quantile(ascending, 0.95),
    p99: quantile(ascending, 0.99),
    mean: length === 0 ? null : ascending.reduce((sum, value) => sum + value, 0) / length,
    max: length === 0 ? null : (ascending[length - 1] as number),
  };
}

/** A figure that was measured several times: the median, and the least and the most. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** @returns null for no samples */
export function spread(samples: Iterable<number>): Spread | null {
  const ascending = sorted(samples);
  const middle = quantile(ascending, 0.5);
  if (middle === null) return null;
  return { median: middle, least: ascending[0] as number, most: ascending[ascending.length - 1] as number };
}
