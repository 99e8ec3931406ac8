/** How far values are from what they should be, in units of the expected values' standard deviation. */

export interface RelativeError {
  readonly largest: number;
  readonly rootMeanSquare: number;
}

export function relativeError(values: ArrayLike<number>, expected: ArrayLike<number>): RelativeError {
  if (values.length !== expected.length) throw new Error(`${values.length} values for ${expected.length}`);
  const count = expected.length;
  let mean = 0;
  for (let i = 0; i < count; i++) mean += expected[i]! / count;
  let variance = 0;
  let squares = 0;
  let largest = 0;
  for (let i = 0; i < count; i++) {
    const error = Math.abs(values[i]! - expected[i]!);
    // A value that is not a number must not pass for a small one.
    if (!(error <= largest)) largest = error;
    squares += error ** 2 / count;
    variance += (expected[i]! - mean) ** 2 / count;
  }
  const deviation = Math.sqrt(variance);
  return { largest: largest / deviation, rootMeanSquare: Math.sqrt(squares) / deviation };
}
