/** Element types and shapes as ONNX Runtime tells them. */
import { CalmError } from '../../errors.js';
import { type ElementType, elementTypeOf } from './element-type.js';
import type { Pointer } from './handle.js';
import type { OrtLibrary } from './library.js';

/** An input or output as the graph declares it; -1 stands for a length that varies. */
export interface TensorInfo {
  readonly name: string;
  readonly elementType: ElementType;
  readonly shape: readonly number[];
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
