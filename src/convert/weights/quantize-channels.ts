/**
 * One scale a row of a matrix, which is one an output of its layer: value = level * scale, levels in int8. The product
 * with rows of uint8 is a product of integers (MatMulIntegerToFloat), exact and therefore the same in any batch.
 */

/** Some rows as levels. */
export interface ChannelRows {
  /** Rows x columns, -127 to 127. */
  readonly data: Int8Array;
  /** One a row. */
  readonly scales: Float32Array;
  /** Sum over all values of (value - stored value)^2. */
  readonly squaredError: number;
  /** Sum over all values of value^2. */
  readonly squaredNorm: number;
}

const LARGEST_LEVEL = 127;
/**
 * What two neighbouring levels of one sign may add up to. On x64 processors without VNNI the product adds pairs of
 * neighbours in 16 bits with saturation: 255 * 128 is the largest sum that fits. So stored, a matrix gives the same
 * integers on every processor.
 */
export const LARGEST_PAIR = 128;
/** Scales that are tried, between the one at which the largest value fits and the one at which the largest pair does. */
const SCALES_TRIED = 5;

/** Quantizes whole rows; `columns` must be even. */
export function quantizeChannels(values: Float32Array, columns: number): ChannelRows {
  const rows = values.length / columns;
  const data = new Int8Array(values.length);
  const scales = new Float32Array(rows);
  let squaredError = 0;
  let squaredNorm = 0;
  for (let row = 0; row < rows; row++) {
    const from = row * columns;
    const { scale, error } = fitScale(values, from, columns);
    scales[row] = scale;
    squaredError += error;
    const inverse = scale === 0 ? 0 : 1 / scale;
    for (let i = from; i < from + columns; i += 2) {
      const first = values[i] as number;
      const second = values[i + 1] as number;
      squaredNorm += first * first + second * second;
      const excess = pairExcess(first * inverse, second * inverse);
      data[i] = level(first * inverse, excess);
      data[i + 1] = level(second * inverse, excess);
      fixRoundedPair(data, i);
    }
  }
  return { data, scales, squaredError, squaredNorm };
}

/** The scale of least squared error, with that error. */
function fitScale(
  values: Float32Array,
  from: number,
  columns: number,
): { readonly scale: number; readonly error: number } {
  let largest = 0;
  let largestPair = 0;
  for (let i = from; i < from + columns; i += 2) {
    const first = values[i] as number;
    const second = values[i + 1] as number;
    largest = Math.max(largest, Math.abs(first), Math.abs(second));
    if (first * second > 0) largestPair = Math.max(largestPair, Math.abs(first + second));
  }
  const finest = largest / LARGEST_LEVEL;
  const coarsest = Math.max(finest, largestPair / LARGEST_PAIR);
  let best = { scale: 0, error: Number.POSITIVE_INFINITY };
  for (let step = 0; step < SCALES_TRIED; step++) {
    const scale = Math.fround(finest + ((coarsest - finest) * step) / (SCALES_TRIED - 1));
    const error = rowError(values, from, columns, scale);
    if (error < best.error) best = { scale, error };
    if (coarsest === finest) break;
  }
  return best;
}

function rowError(values: Float32Array, from: number, columns: number, scale: number): number {
  const inverse = scale === 0 ? 0 : 1 / scale;
  const pair = new Int8Array(2);
  let sum = 0;
  for (let i = from; i < from + columns; i += 2) {
    const first = values[i] as number;
    const second = values[i + 1] as number;
    const excess = pairExcess(first * inverse, second * inverse);
    pair[0] = level(first * inverse, excess);
    pair[1] = level(second * inverse, excess);
    fixRoundedPair(pair, 0);
    sum += (first - (pair[0] as number) * scale) ** 2 + (second - (pair[1] as number) * scale) ** 2;
  }
  return sum;
}

/** By how much each of two values of one sign must shrink for their sum to be in bounds: the nearest such pair. */
function pairExcess(first: number, second: number): number {
  return first * second > 0 ? Math.max(0, (Math.abs(first + second) - LARGEST_PAIR) / 2) : 0;
}

function level(value: number, excess: number): number {
  const size = Math.min(LARGEST_LEVEL, Math.round(Math.max(0, Math.abs(value) - excess)));
  return value < 0 ? -size : size;
}

/** Two halves that were both rounded up are one too many. */
function fixRoundedPair(levels: Int8Array, at: number): void {
  const first = levels[at] as number;
  const second = levels[at + 1] as number;
  if (first + second > LARGEST_PAIR) levels[at] = first - 1;
  else if (first + second < -LARGEST_PAIR) levels[at] = first + 1;
}
