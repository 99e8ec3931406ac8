/** One buffer for one input or output, and tensors of any shape over its front. */
import { byteLength, type ElementType, elementTypeInfo } from './element-type.js';
import { type Closable, HandleStack } from './handle.js';
import type { Allocator, NativeBuffer, Tensor } from './memory.js';

/** Made once for the largest batch; smaller batches are tensors over its front. */
export class TensorBuffer implements Closable {
  readonly #elementType: ElementType;
  readonly #words: number;
  readonly #buffer: NativeBuffer;
  readonly #tensors = new Map<string, Tensor>();
  readonly #owned = new HandleStack();
  #floats: Float32Array | null = null;
  #integers: Int32Array | null = null;

  constructor(allocator: Allocator, elementType: ElementType, elements: number) {
    this.#elementType = elementType;
    this.#words = Math.ceil((elements * elementTypeInfo(elementType).bytes) / 4);
    this.#buffer = this.#owned.own(allocator.allocate(byteLength(elementType, [elements])));
    // The high words of int64 elements are never written again.
    if (elementType === 'int64') this.integers.fill(0);
  }

  /** The elements of a float32 buffer in CPU memory. */
  get floats(): Float32Array {
    this.#floats ??= new Float32Array(this.#buffer.view, 0, this.#words);
    return this.#floats;
  }

  /**
   * The elements of an int32 buffer in CPU memory. An int64 buffer is seen as pairs of words, the low word first
   * (every platform of ONNX Runtime is little-endian): element i is at 2i, and its high word stays 0, as no id needs it.
   */
  get integers(): Int32Array {
    this.#integers ??= new Int32Array(this.#buffer.view, 0, this.#words);
    return this.#integers;
  }

  /** The tensor of this shape over the buffer from an element on, its front by default; made once and kept. */
  tensor(shape: readonly number[], firstElement = 0): Tensor {
    const key = `${firstElement}:${shape.join()}`;
    const known = this.#tensors.get(key);
    if (known !== undefined) return known;
    const tensor = this.#owned.own(
      this.#buffer.tensor(this.#elementType, shape, firstElement * elementTypeInfo(this.#elementType).bytes),
    );
    this.#tensors.set(key, tensor);
    return tensor;
  }

  close(): void {
    this.#tensors.clear();
    this.#owned.close();
  }
}
