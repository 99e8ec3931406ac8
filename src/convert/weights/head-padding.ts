/**
 * Heads of any even size as heads of a size that GroupQueryAttention rotates. Zeros are added to both rotary halves:
 * they stay zero under any rotation, add nothing to a score, and meet zero columns in the output projection.
 */
import type { Matrix } from './matrix.js';

/** What the rotary embedding inside GroupQueryAttention computes: head sizes in steps of this. */
const HEAD_SIZE_STEP = 16;

/** The size of a head in the package and in its cache. */
export function paddedHeadSize(headSize: number): number {
  return Math.ceil(headSize / HEAD_SIZE_STEP) * HEAD_SIZE_STEP;
}

/** For each place of the padded heads the place that it comes from, or -1 for a zero. */
function places(heads: number, headSize: number): Int32Array {
  const padded = paddedHeadSize(headSize);
  return Int32Array.from({ length: heads * padded }, (_, place) => {
    const head = Math.floor(place / padded);
    const half = Math.floor((place % padded) / (padded / 2));
    const pair = place % (padded / 2);
    return pair < headSize / 2 ? head * headSize + half * (headSize / 2) + pair : -1;
  });
}

/** Pads the outputs of a query, key or value projection: [heads * head size, inputs]. */
export function padHeadRows(matrix: Matrix, heads: number, headSize: number): Matrix {
  if (paddedHeadSize(headSize) === headSize) return matrix;
  const { columns } = matrix;
  const sources = places(heads, headSize);
  return {
    rows: sources.length,
    columns,
    read(from, to) {
      const values = new Float32Array((to - from) * columns);
      for (let row = from; row < to; row++) {
        const source = sources[row] as number;
        if (source >= 0) values.set(matrix.read(source, source + 1), (row - from) * columns);
      }
      return values;
    },
  };
}

/** Pads the biases of a query, key or value projection. */
export function padHeadValues(values: Float32Array, heads: number, headSize: number): Float32Array {
  if (paddedHeadSize(headSize) === headSize) return values;
  return Float32Array.from(places(heads, headSize), source => values[source] ?? 0);
}

/** Pads the inputs of the output projection: [outputs, heads * head size]. */
export function padHeadColumns(matrix: Matrix, heads: number, headSize: number): Matrix {
  if (paddedHeadSize(headSize) === headSize) return matrix;
  const sources = places(heads, headSize);
  return {
    rows: matrix.rows,
    columns: sources.length,
    read(from, to) {
      const whole = matrix.read(from, to);
      const values = new Float32Array((to - from) * sources.length);
      for (let row = 0; row < to - from; row++) {
        for (const [column, source] of sources.entries()) {
          if (source < 0) continue;
          values[row * sources.length + column] = whole[row * matrix.columns + source] as number;
        }
      }
      return values;
    },
  };
}
