/** Reading a graph's declared inputs and outputs. */

import type { Pointer } from './handle.js';
import koffi from './koffi.js';
import type { OrtLibrary } from './library.js';
import type { Allocator } from './memory.js';
import { readTypeAndShape, type TensorInfo } from './tensor-info.js';

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
