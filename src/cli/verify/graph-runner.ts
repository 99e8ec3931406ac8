/** Runs single graphs of a package on plain arrays: for verification, where speed does not count. */

import { CalmError } from '../../errors.js';
import { float16Value, toFloat16 } from '../../float16.js';
import { type CacheSize, cacheSize, KvCache } from '../../runtime/kv-cache.js';
import { CacheInputs } from '../../runtime/kv-cache-inputs.js';
import type { GraphName } from '../../runtime/manifest.js';
import type { ModelPackage } from '../../runtime/open-package.js';
import { Binding } from '../../runtime/ort/binding.js';
import { elementCount } from '../../runtime/ort/element-type.js';
import type { OrtEnvironment } from '../../runtime/ort/environment.js';
import { type Closable, HandleStack } from '../../runtime/ort/handle.js';
import type { Device } from '../../runtime/ort/memory.js';
import { PackageSessions } from '../../runtime/ort/package-sessions.js';
import type { Session } from '../../runtime/ort/session.js';
import { TensorBuffer } from '../../runtime/ort/tensor-buffer.js';

/** An input: its shape, and floats or ids in row-major order. Floats become the type that the graph declares. */
export interface Feed {
  readonly shape: readonly number[];
  readonly values: Float32Array | readonly number[];
}

/** A run over rows of the cache: which rows, their new token ids, and how many positions each holds afterwards. */
export interface CacheRows {
  readonly firstRow: number;
  /** Token ids of each row, equally many. */
  readonly ids: readonly (readonly number[])[];
  readonly lengths: readonly number[];
}

export interface GraphCall {
  readonly feeds?: Readonly<Record<string, Feed>>;
  /** For graphs with a cache. */
  readonly cache?: CacheRows;
  /** Shapes of the wanted outputs by name. */
  readonly outputs: Readonly<Record<string, readonly number[]>>;
}

/** Owns the sessions of a package and a cache of `rows` rows. */
export class GraphRunner implements Closable {
  readonly #sessions: PackageSessions;
  readonly #size: CacheSize;
  readonly #owned = new HandleStack();
  #cache: KvCache | null = null;

  constructor(environment: OrtEnvironment, source: ModelPackage, device: Device, rows: number) {
    this.#sessions = this.#owned.own(new PackageSessions(environment, source, device));
    this.#size = cacheSize(source.manifest, { slots: rows });
  }

  /** Runs a graph once; every output comes back as plain numbers. */
  async run(name: GraphName, call: GraphCall): Promise<Record<string, Float32Array>> {
    const session = this.#sessions.open(name);
    const temporary = new HandleStack();
    try {
      const binding = temporary.own(new Binding(session));
      for (const [input, feed] of Object.entries(call.feeds ?? {})) {
        const buffer = temporary.own(makeInput(session, input, feed));
        binding.bindHostInput(input, buffer.tensor(feed.shape));
      }
      if (call.cache) this.#bindCache(session, binding, call.cache, temporary);
      const readers = Object.entries(call.outputs).map(([output, shape]) => {
        const type = declared(session, 'output', output);
        const buffer = temporary.own(new TensorBuffer(session.hostAllocator, type, elementCount(shape)));
        const tensor = buffer.tensor(shape);
        binding.bindOutput(output, tensor);
        return [output, () => toNumbers(tensor.read())] as const;
      });
      await binding.run();
      return Object.fromEntries(readers.map(([output, read]) => [output, read()]));
    } finally {
      temporary.close();
    }
  }

  close(): void {
    this.#owned.close();
  }

  #bindCache(session: Session, binding: Binding, rows: CacheRows, temporary: HandleStack): void {
    this.#cache ??= this.#owned.own(
      new KvCache(
        this.#sessions.environment,
        session.deviceAllocator,
        this.#sessions.package.manifest,
        this.#size,
      ),
    );
    const idsPerRow = rows.ids[0]?.length ?? 0;
    const inputs = temporary.own(
      new CacheInputs(session.hostAllocator, this.#cache, rows.ids.length * idsPerRow),
    );
    for (const [row, ids] of rows.ids.entries()) inputs.writeIds(row * idsPerRow, ids);
    inputs.writeLengths(rows.lengths);
    inputs.bind(binding, rows.firstRow, rows.ids.length, idsPerRow);
  }
}

function declared(session: Session, side: 'input' | 'output', name: string) {
  const info = (side === 'input' ? session.inputs : session.outputs).find(tensor => tensor.name === name);
  if (info) return info.elementType;
  throw new CalmError(
    'bad_package',
    `The graph ${session.file} has no ${side} ${name}; convert the model again.`,
  );
}

function makeInput(session: Session, name: string, feed: Feed): TensorBuffer {
  const type = declared(session, 'input', name);
  const buffer = new TensorBuffer(session.hostAllocator, type, feed.values.length);
  if (type === 'int64') {
    for (const [index, value] of feed.values.entries()) buffer.integers[2 * index] = value;
  } else if (type === 'float16') {
    const halves = toFloat16(Float32Array.from(feed.values));
    new Uint16Array(buffer.floats.buffer, buffer.floats.byteOffset, halves.length).set(halves);
  } else {
    buffer.floats.set(feed.values);
  }
  return buffer;
}

function toNumbers(data: ReturnType<ReturnType<TensorBuffer['tensor']>['read']>): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof Uint16Array) return Float32Array.from(data, float16Value);
  return Float32Array.from(data, Number);
}
