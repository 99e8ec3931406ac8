/**
 * Runs a package's graphs through ONNX Runtime's own JavaScript API, which copies the cache at every call: slow, and
 * independent of this project's binding.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { float16Value, toFloat16 } from '../../src/float16.js';
import { type GraphName, type Manifest, manifestSchema } from '../../src/runtime/manifest.js';

export type Tensors = Readonly<Record<string, Tensor>>;

export function int64(values: readonly number[], shape: readonly number[]): Tensor {
  return new Tensor('int64', BigInt64Array.from(values, BigInt), shape);
}

export function int32(values: readonly number[], shape: readonly number[]): Tensor {
  return new Tensor('int32', Int32Array.from(values), shape);
}

export function float32(values: ArrayLike<number>, shape: readonly number[]): Tensor {
  return new Tensor('float32', Float32Array.from(values), shape);
}

/** The values of a tensor of any type. */
export function numbers(tensor: Tensor | undefined): number[] {
  const data = tensor?.data as ArrayLike<number | bigint>;
  return Array.from(data, value =>
    tensor?.type === 'float16' ? float16Value(Number(value)) : Number(value),
  );
}

/** One package; sessions are opened when a graph is first run. */
export class PackageRunner {
  readonly manifest: Manifest;
  readonly #folder: string;
  readonly #sessions = new Map<GraphName, InferenceSession>();

  constructor(folder: string) {
    this.#folder = folder;
    this.manifest = manifestSchema.parse(JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')));
  }

  async run(graph: GraphName, inputs: Tensors): Promise<Tensors> {
    const known = this.#sessions.get(graph);
    const session =
      known ??
      (await InferenceSession.create(join(this.#folder, `${graph}.onnx`), {
        intraOpNumThreads: 1,
        logSeverityLevel: 3,
      }));
    this.#sessions.set(graph, session);
    return session.run(inputs);
  }

  /** Floats in the package's activation type. */
  activations(values: ArrayLike<number>, shape: readonly number[]): Tensor {
    if (this.manifest.activation_type === 'fp32') return float32(values, shape);
    return new Tensor('float16', toFloat16(Float32Array.from(values)), shape);
  }

  /** Cache inputs of B rows without any history. */
  emptyCache(batch: number): Tensors {
    const { layers, kv_heads, head_size } = this.manifest.backbone;
    const names = Array.from({ length: layers }, (_, layer) => [`past.${layer}.key`, `past.${layer}.value`]);
    return Object.fromEntries(
      names.flat().map(name => [name, this.activations([], [batch, kv_heads, 0, head_size])]),
    );
  }
}

/** One row's cache over a number of calls. */
export class CachedRow {
  readonly #runner: PackageRunner;
  #cache: Tensors;
  #length = 0;

  constructor(runner: PackageRunner) {
    this.#runner = runner;
    this.#cache = runner.emptyCache(1);
  }

  /** Feeds whole chunks to `backbone` or `step`; gives its outputs but the cache. */
  async feed(graph: 'backbone' | 'step', ids: readonly number[], inputs: Tensors = {}): Promise<Tensors> {
    this.#length += ids.length / this.#runner.manifest.chunk_size;
    const outputs = await this.#runner.run(graph, {
      input_ids: int64(ids, [1, ids.length]),
      seqlens_k: int32([this.#length - 1], [1]),
      total_sequence_length: int32([this.#length], []),
      ...this.#cache,
      ...inputs,
    });
    const isCache = ([name]: [string, Tensor]): boolean => name.startsWith('present.');
    const entries = Object.entries(outputs);
    this.#cache = Object.fromEntries(
      entries.filter(isCache).map(([name, value]) => [name.replace('present', 'past'), value]),
    );
    return Object.fromEntries(entries.filter(entry => !isCache(entry)));
  }
}
