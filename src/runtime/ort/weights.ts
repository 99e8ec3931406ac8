/** The weights of one package: one copy in memory, whatever number of graphs uses them. */
import type { StoredTensor } from '../manifest.js';
import { buildOwned, Handle, type HandleStack, type Pointer } from './handle.js';
import { useHugePages } from './huge-pages.js';
import type { OrtLibrary } from './library.js';
import { MemoryInfo, Tensor } from './memory.js';
import { MappedFile, trimHeap } from './system-memory.js';

/** Matrices in the layout that the kernels want, shared by all sessions that are made with the same container. */
class PrepackedWeights extends Handle {
  constructor(library: OrtLibrary) {
    const { api } = library;
    const pointer = library.make('create a container for packed weights', out =>
      api.CreatePrepackedWeightsContainer(out),
    );
    super('packed weights', pointer, handle => api.ReleasePrepackedWeightsContainer(handle));
  }
}

/**
 * A mapped data file and tensors over it. Sessions take the tensors as they are (no copy); what a kernel repacks, it
 * finds in the container if another session repacked it before. Must outlive the sessions that use it.
 */
export class Weights {
  readonly #file: MappedFile;
  readonly #memory: MemoryInfo;
  readonly #prepacked: PrepackedWeights;
  readonly #stored: Readonly<Record<string, StoredTensor>>;
  readonly #tensors = new Map<string, Tensor>();
  readonly #owned: HandleStack;

  private constructor(
    owned: HandleStack,
    library: OrtLibrary,
    file: string,
    stored: Record<string, StoredTensor>,
  ) {
    const leastBytes = Object.values(stored).reduce(
      (end, { offset, bytes }) => Math.max(end, offset + bytes),
      1,
    );
    this.#owned = owned;
    this.#stored = stored;
    this.#file = owned.own(MappedFile.open(file, leastBytes));
    this.#memory = owned.own(new MemoryInfo(library, 'cpu'));
    this.#prepacked = owned.own(new PrepackedWeights(library));
  }

  /** Maps a data file. Throws CalmError 'bad_package' where it is missing or ends before its last tensor. */
  static open(library: OrtLibrary, file: string, stored: Record<string, StoredTensor>): Weights {
    return buildOwned(owned => new Weights(owned, library, file, stored));
  }

  /** The container for CreateSessionWithPrepackedWeightsContainer. */
  get prepacked(): Pointer {
    return this.#prepacked.pointer;
  }

  /** The tensor of this name; the caller has checked that the manifest lists it. */
  tensor(name: string): Tensor {
    const known = this.#tensors.get(name);
    if (known !== undefined) return known;
    const { dtype, shape, offset } = this.#stored[name] as StoredTensor;
    const tensor = this.#owned.own(
      Tensor.over(this.#memory, this.#file.pointer + BigInt(offset), dtype, shape),
    );
    this.#tensors.set(name, tensor);
    return tensor;
  }

  /**
   * Drops what only the making of sessions needed, mapped pages that were repacked and freed heap, and puts what is
   * left onto huge pages.
   */
  trim(): void {
    this.#file.releasePages();
    trimHeap();
    useHugePages();
  }

  close(): void {
    this.#owned.close();
  }
}
