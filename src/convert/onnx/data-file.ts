/** The package's one data file: tensors one after the other, each written once and at an aligned offset. */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { StoredTensor } from '../../runtime/manifest.js';

/** Offsets are multiples of this, so that a memory map serves aligned vector loads. */
const ALIGNMENT = 64;
const ELEMENT_BYTES = { float32: 4, float16: 2, uint8: 1, int8: 1, int64: 8 } as const;

export type StoredType = StoredTensor['dtype'];

/** Appends tensors to a data file and remembers where each one lies. */
export class DataFileWriter {
  readonly #descriptor: number;
  readonly #tensors = new Map<string, StoredTensor>();
  #end = 0;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'wx');
  }

  /** Where each tensor lies, by name, in the order of the file. */
  get tensors(): ReadonlyMap<string, StoredTensor> {
    return this.#tensors;
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#end;
  }

  /**
   * Writes one tensor from its pieces, in order. The pieces are consumed one at a time, so a big tensor needs the
   * memory of one piece only.
   */
  append(
    name: string,
    dtype: StoredType,
    shape: readonly number[],
    pieces: Iterable<NodeJS.ArrayBufferView>,
  ): StoredTensor {
    if (this.#tensors.has(name)) throw new Error(`tensor ${name} is written twice`);
    const offset = Math.ceil(this.#end / ALIGNMENT) * ALIGNMENT;
    let position = offset;
    for (const piece of pieces) position += this.#write(piece, position);
    const bytes = position - offset;
    const wanted = shape.reduce((product, size) => product * size, ELEMENT_BYTES[dtype]);
    if (bytes !== wanted) throw new Error(`tensor ${name} has ${bytes} bytes, its shape needs ${wanted}`);
    this.#end = position;
    const stored: StoredTensor = { dtype, shape: [...shape], offset, bytes };
    this.#tensors.set(name, stored);
    return stored;
  }

  /** A second name and shape for bytes that are written already. */
  alias(name: string, tensor: StoredTensor, shape: readonly number[]): StoredTensor {
    const stored: StoredTensor = {
      dtype: tensor.dtype,
      shape: [...shape],
      offset: tensor.offset,
      bytes: tensor.bytes,
    };
    this.#tensors.set(name, stored);
    return stored;
  }

  #write(piece: NodeJS.ArrayBufferView, position: number): number {
    const bytes = new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
    let done = 0;
    while (done < bytes.length) {
      done += writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
    }
    return done;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
