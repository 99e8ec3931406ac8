/**
 * Block quantization as com.microsoft.MatMulNBits and GatherBlockQuantized read it: every `blockSize` values of a
 * row share one scale, and one zero point where the format is asymmetric: value = (q - zeroPoint) * scale.
 */
import { float16Rounder } from './float16.js';

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

/** Quantizes whole rows; `columns` must be a multiple of the block size. */
export function quantizeRows(values: Float32Array, columns: number, format: BlockFormat): QuantizedRows {
  const { bits, blockSize, symmetric, float16Scales } = format;
  const rows = values.length / columns;
  const blocks = columns / blockSize;
  const levels = 2 ** bits - 1;
  const middle = 2 ** (bits - 1);
  const data = new Uint8Array((values.length * bits) / 8);
  const scales = new Float32Array(rows * blocks);
  const zeroPointBytes = Math.ceil((blocks * bits) / 8);
  const zeroPoints = symmetric ? null : new Uint8Array(rows * zeroPointBytes);
  const roundScale = float16Scales ? float16Rounder() : Math.fround;
  let squaredError = 0;
  let squaredNorm = 0;
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * columns + block * blockSize;
      const end = start + blockSize;
      let low = 0;
      let high = 0;
      for (let i = start; i < end; i++) {
        const value = values[i] as number;
        if (value < low) low = value;
        if (value > high) high = value;
      }
      let scale: number;
      let zeroPoint = middle;
      if (symmetric) {
        // The value of largest magnitude is put on -middle, the end that has one level more.
        scale = (high > -low ? high : low) / -middle;
      } else {
        scale = (high - low) / levels;
      }
      scale = roundScale(scale);
      const inverse = scale === 0 ? 0 : 1 / scale;
      if (zeroPoints !== null) {
        zeroPoint = Math.min(levels, Math.round(-low * inverse));
        const at = row * zeroPointBytes + (bits === 8 ? block : block >> 1);
        zeroPoints[at] = (zeroPoints[at] as number) | (bits === 4 && block & 1 ? zeroPoint << 4 : zeroPoint);
      }
      scales[row * blocks + block] = scale;
      for (let i = start; i < end; i++) {
        const value = values[i] as number;
        let level = Math.floor(value * inverse + zeroPoint + 0.5);
        if (level < 0) level = 0;
        else if (level > levels) level = levels;
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
