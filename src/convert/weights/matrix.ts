/** Matrices as the graphs want them, composed from a checkpoint's tensors without holding them in memory. */

/** A matrix of `rows` x `columns` (of a linear layer: outputs x inputs) whose values come in row blocks. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** Values of rows `from`..`to` (exclusive), row by row. The caller must not write into them. */
  read(from: number, to: number): Float32Array;
}

/** The matrices below one another: [rows of the first + rows of the second + ..., columns]. */
export function stackRows(matrices: readonly Matrix[]): Matrix {
  const columns = matrices[0]?.columns ?? 0;
  if (matrices.some(matrix => matrix.columns !== columns))
    throw new Error('stacked matrices differ in width');
  const rows = matrices.reduce((sum, matrix) => sum + matrix.rows, 0);
  return {
    rows,
    columns,
    read(from, to) {
      const values = new Float32Array((to - from) * columns);
      let first = 0;
      for (const matrix of matrices) {
        const start = Math.max(from, first);
        const end = Math.min(to, first + matrix.rows);
        if (start < end) values.set(matrix.read(start - first, end - first), (start - from) * columns);
        first += matrix.rows;
      }
      return values;
    },
  };
}

/** The matrix with copies of its first row below it, up to `rows` rows. */
export function padRows(matrix: Matrix, rows: number): Matrix {
  const first: Matrix = { ...matrix, rows: 1 };
  return stackRows([matrix, ...Array.from({ length: rows - matrix.rows }, () => first)]);
}

/** Columns `first`..`end` (exclusive) of a matrix. */
export function columnRange(matrix: Matrix, first: number, end: number): Matrix {
  const columns = end - first;
  return {
    rows: matrix.rows,
    columns,
    read(from, to) {
      const whole = matrix.read(from, to);
      const values = new Float32Array((to - from) * columns);
      for (let row = 0; row < to - from; row++) {
        const start = row * matrix.columns;
        values.set(whole.subarray(start + first, start + end), row * columns);
      }
      return values;
    },
  };
}

/** Row ranges that cover a matrix in blocks of about `elements` values, each a multiple of 8 rows but the last. */
export function* rowBlocks(
  matrix: Matrix,
  elements = 1 << 20,
): Generator<{ readonly from: number; readonly to: number }> {
  const step = Math.max(8, Math.floor(elements / matrix.columns / 8) * 8);
  for (let from = 0; from < matrix.rows; from += step) {
    yield { from, to: Math.min(from + step, matrix.rows) };
  }
}
