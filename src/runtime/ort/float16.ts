/** IEEE 754 half precision, seen from JavaScript as its 16 raw bits. */

/** Every half value is exact in float32. */
export function widenFloat16(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, toNumber);
}

/** Rounds to the nearest half, ties to even; beyond the largest half, to infinity. */
export function narrowToFloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, toBits);
}

function toNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function toBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  // 65520 is halfway between the largest half, 65504, and the next power of two.
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  // In units of the last place; a carry into the next power of two moves into the exponent by itself.
  const units = roundHalfEven(magnitude * 2 ** (10 - exponent));
  return sign | (units + (units >= 1024 ? (exponent + 14) * 1024 : 0));
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
