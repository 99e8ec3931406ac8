/** One buffer in CPU memory that JavaScript writes or reads, and tensors over its front in any shape. */
import { byteLength, type ElementType, elementTypeInfo } from './element-type.js';
import { type Closable, HandleStack } from './handle.js';
import type { Allocator, NativeBuffer, Tensor } from './memory.js';

export class HostTensors implements Closable {
  /** The elements of a float32 buffer. */
  readonly floats: Float32Array;
  /**
   * The elements of an int32 buffer. An int64 buffer is seen as pairs of words, the low word first (every platform of
   * ONNX Runtime is little-endian): element i is at 2i, and the high words stay 0, as no number here needs them.
   */
  readonly integers: Int32Array;
  readonly #elementType: ElementType;
  readonly #buffer: NativeBuffer;
  readonly #tensors = new Map<string, Tensor>();
  readonly #owned = new HandleStack();

  constructor(allocator: Allocator, elementType: ElementType, elements: number) {
    this.#elementType = elementType;
    this.#buffer = this.#owned.own(allocator.allocate(byteLength(elementType, [elements])));
    const words = (elements * elementTypeInfo(elementType).bytes) / 4;
    this.floats = new Float32Array(this.#buffer.view, 0, words);
    this.integers = new Int32Array(this.#buffer.view, 0, words).fill(0);
  }

  /** The tensor of this shape over the front of the buffer; made once and kept. */
  tensor(shape: readonly number[]): Tensor {
    const key = shape.join();
    const known = this.#tensors.get(key);
    if (known !== undefined) return known;
    const tensor = this.#owned.own(this.#buffer.tensor(this.#elementType, shape));
    this.#tensors.set(key, tensor);
    return tensor;
  }

  close(): void {
    this.#tensors.clear();
    this.#owned.close();
  }
}
