/** Element types of tensors: ONNX codes (onnx.proto, TensorProto.DataType), sizes, and JavaScript's views. */

export type ElementType = 'float32' | 'float16' | 'uint8' | 'int8' | 'int32' | 'int64';

/** A typed array over a tensor's elements; float16 is seen as its raw bits. */
export type TensorData = Float32Array | Uint16Array | Uint8Array | Int8Array | Int32Array | BigInt64Array;

interface ElementTypeInfo {
  readonly code: number;
  readonly bytes: number;
  readonly view: new (buffer: ArrayBuffer, byteOffset: number, length: number) => TensorData;
}

const infos: Record<ElementType, ElementTypeInfo> = {
  float32: { code: 1, bytes: 4, view: Float32Array },
  uint8: { code: 2, bytes: 1, view: Uint8Array },
  int8: { code: 3, bytes: 1, view: Int8Array },
  int32: { code: 6, bytes: 4, view: Int32Array },
  int64: { code: 7, bytes: 8, view: BigInt64Array },
  float16: { code: 10, bytes: 2, view: Uint16Array },
};

export function elementTypeInfo(type: ElementType): ElementTypeInfo {
  return infos[type];
}

/** The type with this ONNX code, or null for one that no graph of this project uses. */
export function elementTypeOf(code: number): ElementType | null {
  const found = Object.entries(infos).find(([, info]) => info.code === code);
  return found === undefined ? null : (found[0] as ElementType);
}

/** Elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Bytes of a tensor. */
export function byteLength(type: ElementType, shape: readonly number[]): number {
  return elementCount(shape) * infos[type].bytes;
}
