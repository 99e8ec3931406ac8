/** Where a sorted list would be cut, without sorting it: a vocabulary has 128,000 tokens, and each row is cut anew. */

/**
 * The largest threshold for which the first `length` values that reach it have a mass of `target` or more; the smallest
 * value where all together do not. Equal values are kept or cut together. Quickselect with masses: time is linear in
 * `length` in the mean. `values` are finite, `length` is at least 1; their order is lost.
 */
export function cutoff(
  values: Float64Array,
  length: number,
  massOf: (value: number) => number,
  target: number,
): number {
  let start = 0;
  let end = length;
  let massAbove = 0;
  for (;;) {
    const pivot = median(values[start]!, values[(start + end) >> 1]!, values[end - 1]!);
    const { greaterEnd, equalEnd } = partition(values, start, end, pivot);
    const massGreater = massOfRange(values, start, greaterEnd, massOf);
    if (greaterEnd > start && massAbove + massGreater >= target) {
      end = greaterEnd;
      continue;
    }
    massAbove += massGreater + (equalEnd - greaterEnd) * massOf(pivot);
    if (massAbove >= target || equalEnd === end) return pivot;
    start = equalEnd;
  }
}

/** Puts the values of a range that are greater than the pivot first, then its equals, then the rest. */
function partition(
  values: Float64Array,
  start: number,
  end: number,
  pivot: number,
): { readonly greaterEnd: number; readonly equalEnd: number } {
  let greaterEnd = start;
  let equalEnd = start;
  for (let index = start; index < end; index += 1) {
    const value = values[index]!;
    if (value < pivot) continue;
    values[index] = values[equalEnd]!;
    if (value > pivot) {
      values[equalEnd] = values[greaterEnd]!;
      values[greaterEnd] = value;
      greaterEnd += 1;
    } else values[equalEnd] = value;
    equalEnd += 1;
  }
  return { greaterEnd, equalEnd };
}

function massOfRange(
  values: Float64Array,
  start: number,
  end: number,
  massOf: (value: number) => number,
): number {
  let mass = 0;
  for (let index = start; index < end; index += 1) mass += massOf(values[index]!);
  return mass;
}

function median(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
