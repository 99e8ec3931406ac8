/** Which block format a matrix gets: chosen by its own measured error. */
import type { Matrix } from './matrix.js';
import { type BlockFormat, quantizeRows } from './quantize.js';
import { quantizeChannels } from './quantize-channels.js';

/**
 * Block sizes by bits, largest first: fewer scales, less to read. MatMulNBits also takes longer blocks, but computes
 * those in pairs of rows, and a last odd row with other rounding: a text would depend on its company in the batch.
 */
export const BLOCK_SIZES = { 8: [64, 32, 16], 4: [32, 16] } as const;
/** Rows looked at to choose a format; the error that is reported comes from all rows. */
const SAMPLE_ROWS = 256;

/**
 * Relative root-mean-square errors. Up to `wanted` the largest block is taken; where no block gets there, the one
 * with the least error, unless it is above `limit`: then the matrix is stored in a wider type.
 */
const ERROR_BOUNDS = {
  8: { wanted: 0.0075, limit: 0.01 },
  4: { wanted: 0.092, limit: 0.1 },
} as const;

export interface FormatConstraints {
  readonly bits: 8 | 4;
  readonly float16Scales: boolean;
}

function sampleRows(matrix: Matrix): Float32Array {
  if (matrix.rows <= SAMPLE_ROWS) return matrix.read(0, matrix.rows);
  const run = 8;
  const values = new Float32Array(SAMPLE_ROWS * matrix.columns);
  for (let at = 0; at < SAMPLE_ROWS; at += run) {
    const from = Math.floor((at / SAMPLE_ROWS) * (matrix.rows - run));
    values.set(matrix.read(from, from + run), at * matrix.columns);
  }
  return values;
}

/** Relative root-mean-square error up to which one scale an output is enough; normal values have about 0.9 %. */
const CHANNEL_LIMIT = 0.016;

/** Whether one scale an output stores the matrix well enough. */
export function fitsChannels(matrix: Matrix): boolean {
  if (matrix.columns % 2 !== 0) return false;
  const { squaredError, squaredNorm } = quantizeChannels(sampleRows(matrix), matrix.columns);
  return squaredError <= squaredNorm * CHANNEL_LIMIT ** 2;
}

/**
 * The block format of least bytes whose measured error is small enough, or undefined where none is: no block size
 * divides the matrix's inputs, or its values are spread too widely.
 */
export function chooseFormat(matrix: Matrix, constraints: FormatConstraints): BlockFormat | undefined {
  const { bits, float16Scales } = constraints;
  const { wanted, limit } = ERROR_BOUNDS[bits];
  const sizes = BLOCK_SIZES[bits].filter(size => matrix.columns % size === 0);
  if (sizes.length === 0) return undefined;
  const sample = sampleRows(matrix);
  let best: { format: BlockFormat; error: number } | undefined;
  for (const blockSize of sizes) {
    let bestOfSize: { format: BlockFormat; error: number } | undefined;
    for (const symmetric of [true, false]) {
      const format = { bits, blockSize, symmetric, float16Scales };
      const { squaredError, squaredNorm } = quantizeRows(sample, matrix.columns, format);
      const error = squaredNorm === 0 ? 0 : Math.sqrt(squaredError / squaredNorm);
      if (bestOfSize === undefined || error < bestOfSize.error) bestOfSize = { format, error };
    }
    if (bestOfSize === undefined) continue;
    if (bestOfSize.error <= wanted) return bestOfSize.format;
    if (best === undefined || bestOfSize.error < best.error) best = bestOfSize;
  }
  return best !== undefined && best.error <= limit ? best.format : undefined;
}
