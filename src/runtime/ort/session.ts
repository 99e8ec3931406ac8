/** One graph, loaded and ready to run. */
import { CalmError } from '../../errors.js';
import { describeSession } from './describe-session.js';
import type { OrtEnvironment } from './environment.js';
import type { GraphSource } from './graph-source.js';
import { Handle, HandleStack, type Pointer } from './handle.js';
import koffi from './koffi.js';
import type { OrtLibrary } from './library.js';
import { Allocator, type Device, MemoryInfo } from './memory.js';
import { ShrinkingRun } from './run-options.js';
import { configureSession } from './session-options.js';
import type { TensorInfo } from './tensor-info.js';

/** Owner of an OrtSession. Buffers from its allocators must be closed before it. */
export class Session extends Handle {
  readonly library: OrtLibrary;
  readonly device: Device;
  /** For messages: the graph's file. */
  readonly file: string;
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  /** Memory on the CPU. */
  readonly hostAllocator: Allocator;
  /** Memory on the session's device; the same as `hostAllocator` on the CPU. */
  readonly deviceAllocator: Allocator;
  /** For a run after which scratch memory is given back. */
  readonly shrinkingRun: ShrinkingRun;
  readonly #owned = new HandleStack();

  private constructor(library: OrtLibrary, file: string, device: Device, pointer: Pointer) {
    super('session', pointer, handle => library.api.ReleaseSession(handle));
    this.library = library;
    this.device = device;
    this.file = file;
    try {
      this.shrinkingRun = this.#owned.own(new ShrinkingRun(library));
      this.hostAllocator = this.#owned.own(Allocator.forHost(this.#memory('cpu')));
      this.deviceAllocator =
        device === 'cpu'
          ? this.hostAllocator
          : this.#owned.own(Allocator.forDevice(this.#memory(device), pointer));
      this.inputs = describeSession(library, pointer, this.hostAllocator, 'Input');
      this.outputs = describeSession(library, pointer, this.hostAllocator, 'Output');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Loads a graph onto a device. Its weights are taken from memory that is shared with other sessions; under CUDA
   * ONNX Runtime copies them to the device, once a session. Throws CalmError 'bad_package' where it is no usable graph.
   */
  static open(environment: OrtEnvironment, source: GraphSource, device: Device): Session {
    const { library } = environment;
    const options = configureSession(environment, source, device);
    try {
      const pointer = library.make(`load the graph ${source.file}`, out =>
        library.api.CreateSessionFromArrayWithPrepackedWeightsContainer(
          ...sessionArguments(environment, source, options),
          out,
        ),
      );
      return new Session(library, source.file, device, pointer);
    } catch (cause) {
      throw asPackageError(cause);
    } finally {
      options.close();
    }
  }

  /** The same, with the event loop free while ONNX Runtime optimizes the graph and repacks its weights. */
  static async openAside(environment: OrtEnvironment, source: GraphSource, device: Device): Promise<Session> {
    const { library } = environment;
    const options = configureSession(environment, source, device);
    try {
      const pointer = await library.makeAside(`load the graph ${source.file}`, (out, done) =>
        library.api.CreateSessionFromArrayWithPrepackedWeightsContainer.async(
          ...sessionArguments(environment, source, options),
          out,
          done,
        ),
      );
      return new Session(library, source.file, device, pointer);
    } catch (cause) {
      throw asPackageError(cause);
    } finally {
      options.close();
    }
  }

  /** Writes what a session opened with a profile prefix has recorded, and gives the file's path (Chrome's trace format). */
  endProfiling(): string {
    const { library, pointer, hostAllocator } = this;
    const doing = 'write its profile';
    const address = library.make(doing, out =>
      library.api.SessionEndProfiling(pointer, hostAllocator.pointer, out),
    );
    const path = koffi.decode.string(address);
    library.check(library.api.AllocatorFree(hostAllocator.pointer, address), doing);
    return path;
  }

  override close(): void {
    this.#owned.close();
    super.close();
  }

  #memory(device: Device): MemoryInfo {
    return this.#owned.own(new MemoryInfo(this.library, device));
  }
}

function sessionArguments(environment: OrtEnvironment, source: GraphSource, options: Handle) {
  const { model, weights } = source;
  return [environment.pointer, model, model.byteLength, options.pointer, weights?.prepacked ?? null] as const;
}

/** What ONNX Runtime says of a graph that it cannot use is a package's fault. */
function asPackageError(cause: unknown): unknown {
  if (!(cause instanceof CalmError) || cause.code !== 'native') return cause;
  return new CalmError('bad_package', `${cause.message} Convert the model again.`, { cause });
}
