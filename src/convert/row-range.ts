/** Which rows of a tensor a caller wants: rows run along the first axis; a scalar is one row of one element. */
import { CalmError } from '../errors.js';
import type { TensorInfo } from './checkpoint.js';

/** Elements of one row. */
export function elementsPerRow(shape: readonly number[]): number {
  return shape.slice(1).reduce((product, size) => product * size, 1);
}

/** Fills in the defaults of a row range. @throws CalmError internal where it leaves the tensor. */
export function checkedRows(
  info: TensorInfo,
  from = 0,
  to = info.shape[0] ?? 1,
): { from: number; to: number } {
  const rows = info.shape[0] ?? 1;
  if (!(from >= 0 && from <= to && to <= rows)) {
    throw new CalmError(
      'internal',
      `Rows ${from} to ${to} of ${info.name} were asked for, but it has ${rows}.`,
    );
  }
  return { from, to };
}
