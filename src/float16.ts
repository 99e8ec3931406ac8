/** IEEE 754 half precision as its 16 bits: rounded to nearest even; values beyond its range become infinite. */

/** 65520 as float32 bits: the first value that rounds to infinity. */
const OVERFLOW = 0x477ff000;
/** 2^-14 as float32 bits: the smallest normal half. */
const SMALLEST_NORMAL = 0x38800000;

/** Half-precision bits of the value with these float32 bits. */
function float16FromFloat32(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= OVERFLOW) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude >= SMALLEST_NORMAL) return sign | roundedShift(magnitude - 0x38000000, 13);
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return sign;
  return sign | roundedShift((magnitude & 0x7fffff) | 0x800000, shift);
}

/** `value` / 2^shift, rounded to the nearest integer, ties to even. */
function roundedShift(value: number, shift: number): number {
  const half = 2 ** (shift - 1);
  return (value + half - 1 + ((value >>> shift) & 1)) >>> shift;
}

/** The number that 16 bits of half precision stand for. */
export function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** The values in half precision, as bits. */
export function toFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, float16FromFloat32);
}

/** A function that rounds a number to half precision. */
export function float16Rounder(): (value: number) => number {
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  return value => {
    float[0] = value;
    return float16Value(float16FromFloat32(bits[0] as number));
  };
}
