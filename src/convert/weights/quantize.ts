/**
 * Block quantization as com.microsoft.MatMulNBits and GatherBlockQuantized read it: every `blockSize` values of a
 * row share one scale, and one zero point where the format is asymmetric: value = (q - zeroPoint) * scale.
 */
import { float16Rounder } from '../../float16.js';

export interface BlockFormat {
  readonly bits: 8 | 4;
  readonly blockSize: number;
  /** Without zero points, q = 2^(bits - 1) stands for zero. */
  readonly symmetric: boolean;
  /** Scales are stored in half precision. */
  readonly float16Scales: boolean;
}

/** Some rows in a block format. */
export interface QuantizedRows {
  /** Rows x columns * bits / 8 bytes; of two 4-bit values the first is in the low half. */
  readonly data: Uint8Array;
  /** Rows x blocks. */
  readonly scales: Float32Array;
  /** Rows x ceil(blocks * bits / 8) bytes, packed as the data; null where the format is symmetric. */
  readonly zeroPoints: Uint8Array | null;
  /** Sum over all values of (value - stored value)^2. */
  readonly squaredError: number;
  /** Sum over all values of value^2. */
  readonly squaredNorm: number;
}

/** The 2^bits values that a block can take: (q - zeroPoint) * scale. */
interface Grid {
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * How much of a block's range the grid spans. With 16 levels, clipping the outermost values often costs less than a
 * coarser grid does; the best of these is taken block by block.
 */
const SPANS = { 8: [1], 4: [1, 0.92, 0.84] } as const;

/** Quantizes whole rows; `columns` must be a multiple of the block size. */
export function quantizeRows(values: Float32Array, columns: number, format: BlockFormat): QuantizedRows {
  const { bits, blockSize, symmetric } = format;
  const rows = values.length / columns;
  const blocks = columns / blockSize;
  const levels = 2 ** bits - 1;
  const data = new Uint8Array((values.length * bits) / 8);
  const scales = new Float32Array(rows * blocks);
  const zeroPointBytes = Math.ceil((blocks * bits) / 8);
  const zeroPoints = symmetric ? null : new Uint8Array(rows * zeroPointBytes);
  const roundScale = format.float16Scales ? float16Rounder() : Math.fround;
  let squaredError = 0;
  let squaredNorm = 0;
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * blockSize;
      const end = start + blockSize;
      const { scale, zeroPoint } = fitGrid(values, start, end, format, roundScale);
      const inverse = scale === 0 ? 0 : 1 / scale;
      scales[row * blocks + block] = scale;
      if (zeroPoints !== null) {
        const at = row * zeroPointBytes + (bits === 8 ? block : block >> 1);
        zeroPoints[at] = (zeroPoints[at] as number) | (bits === 4 && block & 1 ? zeroPoint << 4 : zeroPoint);
      }
      for (let i = start; i < end; i++) {
        const value = values[i] as number;
        const level = nearestLevel(value, inverse, zeroPoint, levels);
        const error = value - (level - zeroPoint) * scale;
        squaredError += error * error;
        squaredNorm += value * value;
        if (bits === 8) data[i] = level;
        else data[i >> 1] = (data[i >> 1] as number) | (i & 1 ? level << 4 : level);
      }
    }
  }
  return { data, scales, zeroPoints, squaredError, squaredNorm };
}

/** The grid of least squared error among those that span the block's values. */
function fitGrid(
  values: Float32Array,
  start: number,
  end: number,
  { bits, symmetric }: BlockFormat,
  roundScale: (scale: number) => number,
): Grid {
  let low = 0;
  let high = 0;
  for (let i = start; i < end; i++) {
    const value = values[i] as number;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const levels = 2 ** bits - 1;
  const spans = SPANS[bits];
  let best: Grid = { scale: 0, zeroPoint: 0 };
  let bestError = Number.POSITIVE_INFINITY;
  for (const span of spans) {
    const grid = symmetric
      ? symmetricGrid(low * span, high * span, bits, roundScale)
      : asymmetricGrid(low * span, high * span, levels, roundScale);
    if (spans.length === 1) return grid;
    const error = gridError(values, start, end, grid, levels);
    if (error < bestError) {
      best = grid;
      bestError = error;
    }
  }
  return best;
}

/** Zero is in the middle; the end with one level more goes to the side that reaches further. */
function symmetricGrid(low: number, high: number, bits: number, roundScale: (scale: number) => number): Grid {
  const middle = 2 ** (bits - 1);
  return { scale: roundScale((high > -low ? high : low) / -middle), zeroPoint: middle };
}

function asymmetricGrid(
  low: number,
  high: number,
  levels: number,
  roundScale: (scale: number) => number,
): Grid {
  const scale = roundScale((high - low) / levels);
  return { scale, zeroPoint: scale === 0 ? 0 : Math.min(levels, Math.round(-low / scale)) };
}

function gridError(
  values: Float32Array,
  start: number,
  end: number,
  { scale, zeroPoint }: Grid,
  levels: number,
): number {
  const inverse = scale === 0 ? 0 : 1 / scale;
  let sum = 0;
  for (let i = start; i < end; i++) {
    const value = values[i] as number;
    const error = value - (nearestLevel(value, inverse, zeroPoint, levels) - zeroPoint) * scale;
    sum += error * error;
  }
  return sum;
}

function nearestLevel(value: number, inverse: number, zeroPoint: number, levels: number): number {
  const level = Math.floor(value * inverse + zeroPoint + 0.5);
  return level < 0 ? 0 : Math.min(level, levels);
}
