/** Finds answers that ended in a loop: a server that repeats itself is fast and wrong. */

/** How often the repeated part must stand at the end. */
const leastRepeats = 4;

/**
 * Length of the part that fills the end of a sequence again and again; null where none does. The end counts as
 * filled when at least half of the sequence and `leastLength` items are one part repeated four times or more.
 *
 * The shortest period of every suffix comes from the prefix function of the reversed sequence, in linear time
 * (Knuth, Morris and Pratt 1977).
 */
export function findLoop(sequence: ArrayLike<string | number>, leastLength: number): number | null {
  const { length } = sequence;
  const at = (index: number): string | number | undefined => sequence[length - 1 - index];
  const border = new Int32Array(length);
  for (let index = 1; index < length; index++) {
    let candidate = border[index - 1] as number;
    while (candidate > 0 && at(index) !== at(candidate)) candidate = border[candidate - 1] as number;
    border[index] = at(index) === at(candidate) ? candidate + 1 : 0;
  }
  for (let suffix = length; suffix >= Math.max(leastLength, length / 2); suffix--) {
    const period = suffix - (border[suffix - 1] ?? 0);
    if (suffix >= leastRepeats * period) return period;
  }
  return null;
}
