/** The one place where buffers come from: a session's allocator for a device, and tensors that view its buffers. */

import { CalmError } from '../../errors.js';
import {
  byteLength,
  type ElementType,
  elementCount,
  elementTypeInfo,
  type TensorData,
} from './element-type.js';
import { Handle, type Pointer } from './handle.js';
import koffi from './koffi.js';
import type { OrtLibrary } from './library.js';

export type Device = 'cpu' | 'cuda';

/** Names that ONNX Runtime gives to memory (allocator.h); OrtDeviceAllocator and OrtMemTypeDefault are both 0. */
const memoryNames: Record<Device, string> = { cpu: 'Cpu', cuda: 'Cuda' };

/** Says on which device a piece of memory lies. */
export class MemoryInfo extends Handle {
  readonly library: OrtLibrary;
  readonly device: Device;

  constructor(library: OrtLibrary, device: Device) {
    const { api } = library;
    const pointer = library.make('describe memory', out =>
      api.CreateMemoryInfo(memoryNames[device], 0, 0, 0, out),
    );
    super('memory description', pointer, handle => api.ReleaseMemoryInfo(handle));
    this.library = library;
    this.device = device;
  }
}

/** Gives out memory on one device. */
export class Allocator extends Handle {
  readonly memory: MemoryInfo;

  private constructor(memory: MemoryInfo, pointer: Pointer, release: (pointer: Pointer) => void) {
    super('allocator', pointer, release);
    this.memory = memory;
  }

  /**
   * Plain CPU memory. Not a session's arena: an arena keeps books on every 256 bytes that it reserves, 3 % of a cache
   * that is mostly never touched, and gives nothing back before the session ends.
   */
  static forHost(memory: MemoryInfo): Allocator {
    const { library } = memory;
    const pointer = library.make('find its allocator for the CPU', out =>
      library.api.GetAllocatorWithDefaultOptions(out),
    );
    // The default allocator belongs to the library.
    return new Allocator(memory, pointer, () => undefined);
  }

  /** Memory on the device of `session`, an OrtSession. */
  static forDevice(memory: MemoryInfo, session: Pointer): Allocator {
    const { library } = memory;
    const pointer = library.make(`find its allocator for ${memory.device}`, out =>
      library.api.CreateAllocator(session, memory.pointer, out),
    );
    return new Allocator(memory, pointer, handle => library.api.ReleaseAllocator(handle));
  }

  /** Memory whose contents are undefined; on the CPU its pages appear when they are first touched. */
  allocate(bytes: number): NativeBuffer {
    return new NativeBuffer(this, bytes);
  }
}

/** A piece of memory on a device. Tensors over it must be closed before it, and views dropped. */
export class NativeBuffer extends Handle {
  readonly bytes: number;
  readonly memory: MemoryInfo;
  #view: ArrayBuffer | null = null;

  constructor(allocator: Allocator, bytes: number) {
    const { memory } = allocator;
    const { api } = memory.library;
    const pointer = memory.library.make(`allocate ${bytes} bytes on ${memory.device}`, out =>
      api.AllocatorAlloc(allocator.pointer, bytes, out),
    );
    // A failure to free has no one left to tell: the status is only released.
    super('buffer', pointer, handle =>
      releaseStatus(memory.library, api.AllocatorFree(allocator.pointer, handle)),
    );
    this.bytes = bytes;
    this.memory = memory;
  }

  /** The memory itself, without a copy. CPU buffers only. */
  get view(): ArrayBuffer {
    this.#view ??= koffi.view(this.pointer, this.bytes);
    return this.#view;
  }

  /** A tensor over a part of the memory. */
  tensor(type: ElementType, shape: readonly number[], byteOffset = 0): Tensor {
    const end = byteOffset + byteLength(type, shape);
    if (end > this.bytes) {
      throw new CalmError(
        'internal',
        `A tensor of shape [${shape}] ends at byte ${end} of a buffer of ${this.bytes}.`,
      );
    }
    return Tensor.over(this.memory, this.pointer + BigInt(byteOffset), type, shape);
  }
}

function releaseStatus(library: OrtLibrary, status: Pointer | null): void {
  if (status !== null) library.api.ReleaseStatus(status);
}

/** Owner of an OrtValue: a view of memory that someone else owns, or of memory that ONNX Runtime allocated for it. */
export class Tensor extends Handle {
  readonly library: OrtLibrary;
  readonly elementType: ElementType;
  readonly shape: readonly number[];

  private constructor(
    library: OrtLibrary,
    pointer: Pointer,
    elementType: ElementType,
    shape: readonly number[],
  ) {
    super('tensor', pointer, handle => library.api.ReleaseValue(handle));
    this.library = library;
    this.elementType = elementType;
    this.shape = shape;
  }

  /** A view of memory at an address; the memory must outlive it. */
  static over(memory: MemoryInfo, address: Pointer, type: ElementType, shape: readonly number[]): Tensor {
    const { library } = memory;
    const lengths = BigInt64Array.from(shape, BigInt);
    const pointer = library.make('create a tensor', out =>
      library.api.CreateTensorWithDataAsOrtValue(
        memory.pointer,
        address,
        byteLength(type, shape),
        lengths,
        shape.length,
        elementTypeInfo(type).code,
        out,
      ),
    );
    return new Tensor(library, pointer, type, shape);
  }

  /** A copy of the elements. CPU tensors only. */
  read(): TensorData {
    const info = elementTypeInfo(this.elementType);
    const address = this.library.make('read a tensor', out =>
      this.library.api.GetTensorMutableData(this.pointer, out),
    );
    const bytes = byteLength(this.elementType, this.shape);
    const copy = bytes === 0 ? new ArrayBuffer(0) : koffi.view(address, bytes).slice(0);
    return new info.view(copy, 0, elementCount(this.shape));
  }
}
