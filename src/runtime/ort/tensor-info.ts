/** Reading a graph's declared inputs and outputs. */

import { CalmError } from '../../errors.js';
import { type ElementType, elementTypeOf } from './element-type.js';
import type { Pointer } from './handle.js';
import koffi from './koffi.js';
import type { OrtLibrary } from './library.js';
import type { Allocator } from './memory.js';

/** An input or output as the graph declares it; -1 stands for a length that varies. */
export interface TensorInfo {
  readonly name: string;
  readonly elementType: ElementType;
  readonly shape: readonly number[];
}

/** All inputs or all outputs of a session, in the graph's order. `names` gives out strings of `allocator`. */
export function describeSession(
  library: OrtLibrary,
  session: Pointer,
  allocator: Allocator,
  side: 'Input' | 'Output',
): TensorInfo[] {
  const { api } = library;
  const doing = `describe the graph's ${side.toLowerCase()}s`;
  const count = new BigUint64Array(1);
  library.check(api[`SessionGet${side}Count`](session, count), doing);
  return Array.from({ length: Number(count[0]) }, (_, index) => {
    const address = library.make(doing, out =>
      api[`SessionGet${side}Name`](session, index, allocator.pointer, out),
    );
    const name = koffi.decode.string(address);
    library.check(api.AllocatorFree(allocator.pointer, address), doing);
    const type = library.make(doing, out => api[`SessionGet${side}TypeInfo`](session, index, out));
    try {
      const shape = library.make(`read the shape of ${name}`, out => api.CastTypeInfoToTensorInfo(type, out));
      return { name, ...readTypeAndShape(library, shape, name) };
    } finally {
      api.ReleaseTypeInfo(type);
    }
  });
}

/** Element type and shape out of an OrtTensorTypeAndShapeInfo, which stays the caller's. */
export function readTypeAndShape(library: OrtLibrary, info: Pointer, name: string): Omit<TensorInfo, 'name'> {
  const { api } = library;
  const doing = `read the shape of ${name}`;
  const code = new Int32Array(1);
  library.check(api.GetTensorElementType(info, code), doing);
  const elementType = elementTypeOf(code[0] as number);
  if (elementType === null) {
    throw new CalmError(
      'bad_package',
      `The tensor ${name} has an element type that no package uses (ONNX type ${code[0]}).`,
    );
  }
  const rank = new BigUint64Array(1);
  library.check(api.GetDimensionsCount(info, rank), doing);
  const lengths = new BigInt64Array(Number(rank[0]));
  library.check(api.GetDimensions(info, lengths, lengths.length), doing);
  return { elementType, shape: Array.from(lengths, Number) };
}
