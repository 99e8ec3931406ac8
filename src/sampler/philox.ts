/**
 * Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011): a counter-based generator.
 * Four random words are a pure function of a counter of four words and a key of two, so any number of a request
 * can be made at any time, in any order, without state.
 */

const MULTIPLIER_0_HIGH = 0xd251;
const MULTIPLIER_0_LOW = 0x1f53;
const MULTIPLIER_0 = 0xd2511f53 | 0;
const MULTIPLIER_1_HIGH = 0xcd9e;
const MULTIPLIER_1_LOW = 0x8d57;
const MULTIPLIER_1 = 0xcd9e8d57 | 0;
/** Weyl constants by which the key is bumped between rounds. */
const WEYL_0 = 0x9e3779b9 | 0;
const WEYL_1 = 0xbb67ae85 | 0;
const ROUND_COUNT = 10;

/**
 * Writes the four random words of (counter, key) to `out[0..3]`.
 * All words are read as 32-bit patterns; a negative number stands for its unsigned twin.
 */
export function philox4x32(
  out: Uint32Array,
  counter0: number,
  counter1: number,
  counter2: number,
  counter3: number,
  key0: number,
  key1: number,
): void {
  let a = counter0 | 0;
  let b = counter1 | 0;
  let c = counter2 | 0;
  let d = counter3 | 0;
  let k0 = key0 | 0;
  let k1 = key1 | 0;
  for (let round = 0; round < ROUND_COUNT; round += 1) {
    // The high words are made of 16-bit products, every sum below 2^32: exact, and integers all the way.
    const aLow = a & 0xffff;
    const aHigh = a >>> 16;
    const aMiddle = (Math.imul(aHigh, MULTIPLIER_0_LOW) + (Math.imul(aLow, MULTIPLIER_0_LOW) >>> 16)) | 0;
    const aCarry = (Math.imul(aLow, MULTIPLIER_0_HIGH) + (aMiddle & 0xffff)) | 0;
    const high0 = (Math.imul(aHigh, MULTIPLIER_0_HIGH) + (aMiddle >>> 16) + (aCarry >>> 16)) | 0;
    const low0 = Math.imul(a, MULTIPLIER_0);

    const cLow = c & 0xffff;
    const cHigh = c >>> 16;
    const cMiddle = (Math.imul(cHigh, MULTIPLIER_1_LOW) + (Math.imul(cLow, MULTIPLIER_1_LOW) >>> 16)) | 0;
    const cCarry = (Math.imul(cLow, MULTIPLIER_1_HIGH) + (cMiddle & 0xffff)) | 0;
    const high1 = (Math.imul(cHigh, MULTIPLIER_1_HIGH) + (cMiddle >>> 16) + (cCarry >>> 16)) | 0;
    const low1 = Math.imul(c, MULTIPLIER_1);

    a = high1 ^ b ^ k0;
    b = low1;
    c = high0 ^ d ^ k1;
    d = low0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  out[0] = a;
  out[1] = b;
  out[2] = c;
  out[3] = d;
}
