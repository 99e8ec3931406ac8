/**
 * A graph to be run on plain arrays, where speed does not count: every run copies its inputs and outputs.
 */
import { CalmError } from '../../errors.js';
import type { GraphName, Manifest } from '../manifest.js';
import type { ModelPackage } from '../open-package.js';
import { Binding } from './binding.js';
import { byteLength, elementCount, type TensorData } from './element-type.js';
import type { OrtEnvironment } from './environment.js';
import { narrowToFloat16, widenFloat16 } from './float16.js';
import { type Closable, HandleStack } from './handle.js';
import type { Tensor } from './memory.js';
import { PackageSessions } from './package-sessions.js';
import type { Session } from './session.js';
import type { TensorInfo } from './tensor-info.js';

/** A tensor on JavaScript's side. A float16 tensor is given and taken as a Float32Array. */
export interface PlainTensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export interface GraphRun {
  readonly outputs: Readonly<Record<string, PlainTensor>>;
  /** Time of the native call. */
  readonly runMs: number;
}

/** Owns a session of its own, on the CPU. */
export class PlainGraph implements Closable {
  readonly inputs: readonly TensorInfo[];
  readonly outputs: readonly TensorInfo[];
  readonly #sessions: PackageSessions;
  readonly #session: Session;
  readonly #manifest: Manifest;

  constructor(sessions: PackageSessions, name: GraphName) {
    this.#sessions = sessions;
    this.#session = sessions.open(name);
    this.#manifest = sessions.package.manifest;
    this.inputs = this.#session.inputs;
    this.outputs = this.#session.outputs;
  }

  /**
   * Runs the graph once and gives back the outputs that are named, by default all but the cache. Where the graph has a
   * cache and none is given, it starts from an empty one that just holds `input_ids`. Throws CalmError 'internal' for
   * inputs that the graph does not have or that are missing, 'native' where ONNX Runtime refuses them.
   */
  async run(
    inputs: Readonly<Record<string, PlainTensor>>,
    outputs = this.#defaultOutputs(),
  ): Promise<GraphRun> {
    const owned = new HandleStack();
    try {
      const binding = owned.own(new Binding(this.#session));
      const given = { ...this.#emptyCache(inputs), ...inputs };
      for (const info of this.inputs)
        binding.bindInput(info.name, this.#input(owned, info, given[info.name]));
      for (const name of outputs) binding.allocateOutput(name);
      const start = performance.now();
      await binding.run();
      const runMs = performance.now() - start;
      const tensors = binding.takeOutputs().map(tensor => owned.own(tensor));
      return {
        outputs: Object.fromEntries(outputs.map((name, i) => [name, plain(tensors[i] as Tensor)])),
        runMs,
      };
    } finally {
      owned.close();
    }
  }

  close(): void {
    this.#sessions.close();
  }

  #defaultOutputs(): string[] {
    return this.outputs.map(info => info.name).filter(name => !name.startsWith('present.'));
  }

  #input(owned: HandleStack, info: TensorInfo, given: PlainTensor | undefined): Tensor {
    if (given === undefined || given.data.length !== elementCount(given.shape)) {
      const fault =
        given === undefined
          ? 'is missing'
          : `has ${given.data.length} elements for the shape [${given.shape}]`;
      throw new CalmError('internal', `The input ${info.name} of ${this.#session.file} ${fault}.`);
    }
    const buffer = owned.own(
      this.#session.hostAllocator.allocate(Math.max(1, byteLength(info.elementType, given.shape))),
    );
    const { data } = given;
    const stored =
      info.elementType === 'float16' && data instanceof Float32Array ? narrowToFloat16(data) : data;
    new Uint8Array(buffer.view).set(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
    return owned.own(buffer.tensor(info.elementType, given.shape));
  }

  /** The cache inputs of a call on empty rows; nothing where the graph has no cache. */
  #emptyCache(inputs: Readonly<Record<string, PlainTensor>>): Record<string, PlainTensor> {
    const ids = inputs.input_ids;
    if (ids === undefined || !this.inputs.some(info => info.name === 'seqlens_k')) return {};
    const { kv_heads, head_size } = this.#manifest.backbone;
    const [rows = 1, idsPerRow = 1] = ids.shape;
    const chunks = idsPerRow / this.#manifest.chunk_size;
    const shape = [rows, kv_heads, chunks, head_size];
    const empty = { shape, data: new Float32Array(elementCount(shape)) };
    const past = this.inputs
      .filter(info => info.name.startsWith('past.'))
      .map(info => [info.name, empty] as const);
    return {
      ...Object.fromEntries(past),
      seqlens_k: { shape: [rows], data: new Int32Array(rows).fill(chunks - 1) },
      total_sequence_length: { shape: [], data: Int32Array.of(chunks) },
    };
  }
}

/** Opens one graph of a package on the CPU. Throws CalmError 'bad_package' where it is unusable. */
export function openGraph(environment: OrtEnvironment, model: ModelPackage, name: GraphName): PlainGraph {
  const sessions = new PackageSessions(environment, model, 'cpu');
  try {
    return new PlainGraph(sessions, name);
  } catch (error) {
    sessions.close();
    throw error;
  }
}

function plain(tensor: Tensor): PlainTensor {
  const data = tensor.read();
  return {
    shape: tensor.shape,
    data: tensor.elementType === 'float16' ? widenFloat16(data as Uint16Array) : data,
  };
}
