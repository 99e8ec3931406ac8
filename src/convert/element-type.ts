/** Element types of stored tensors, and how the floating ones become float32. */
import { CalmError } from '../errors.js';
import { float16Value } from '../float16.js';
import type { RandomAccessFile } from './random-access-file.js';

/** Bytes of one element, by the name that safetensors uses. */
export const elementBytes = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U64: 8,
  U32: 4,
  U16: 2,
  U8: 1,
  BOOL: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
} as const;

export type ElementType = keyof typeof elementBytes;

export function isElementType(name: string): name is ElementType {
  return Object.hasOwn(elementBytes, name);
}

// Small enough to stay in cache, large enough that system calls do not count.
const STAGING_BYTES = 1 << 20;

/**
 * `count` elements from byte `position` of a file on, widened (float64: rounded) to float32.
 * @throws CalmError bad_checkpoint for an integer tensor, named by `name`.
 */
export function readFloats(
  file: RandomAccessFile,
  type: ElementType,
  position: number,
  count: number,
  name: string,
): Float32Array {
  const values = new Float32Array(count);
  if (type === 'F32') {
    file.readInto(new Uint8Array(values.buffer), position);
    return values;
  }
  const widen = widenerOf(type);
  if (widen === undefined) {
    throw new CalmError(
      'bad_checkpoint',
      `The tensor ${name} of ${file.path} has the element type ${type}, which is not a weight type read here ` +
        '(F64, F32, F16, BF16): convert the checkpoint to one of those first.',
      { param: name },
    );
  }
  const bytes = elementBytes[type];
  const staging = new Uint8Array(Math.min(count * bytes, STAGING_BYTES));
  const elementsAtOnce = staging.length / bytes;
  for (let done = 0; done < count; done += elementsAtOnce) {
    const elements = Math.min(elementsAtOnce, count - done);
    file.readInto(staging.subarray(0, elements * bytes), position + done * bytes);
    widen(staging.buffer, values.subarray(done, done + elements));
  }
  return values;
}

type Widener = (source: ArrayBuffer, target: Float32Array) => void;

function widenerOf(type: ElementType): Widener | undefined {
  switch (type) {
    case 'BF16':
      return widenBfloat16;
    case 'F16':
      return widenFloat16;
    case 'F64':
      return (source, target) => target.set(new Float64Array(source, 0, target.length));
    default:
      return undefined;
  }
}

/** bfloat16 is the upper half of a float32. */
function widenBfloat16(source: ArrayBuffer, target: Float32Array): void {
  const halves = new Uint16Array(source, 0, target.length);
  const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
  for (let index = 0; index < halves.length; index++) bits[index] = halves[index]! << 16;
}

function widenFloat16(source: ArrayBuffer, target: Float32Array): void {
  const halves = new Uint16Array(source, 0, target.length);
  for (let index = 0; index < halves.length; index++) target[index] = float16Value(halves[index]!);
}
