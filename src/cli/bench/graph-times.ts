/** Single graphs in a bare loop: what the native library needs without the engine, and how a step divides. */
import { cacheSize, KvCache } from '../../runtime/kv-cache.js';
import { CacheInputs } from '../../runtime/kv-cache-inputs.js';
import { Prefill } from '../../runtime/kv-cache-prefill.js';
import type { GraphName, Manifest } from '../../runtime/manifest.js';
import type { ModelPackage } from '../../runtime/open-package.js';
import { Binding } from '../../runtime/ort/binding.js';
import { elementCount } from '../../runtime/ort/element-type.js';
import type { OrtEnvironment } from '../../runtime/ort/environment.js';
import { type Closable, HandleStack } from '../../runtime/ort/handle.js';
import type { Device } from '../../runtime/ort/memory.js';
import { PackageSessions } from '../../runtime/ort/package-sessions.js';
import type { Session } from '../../runtime/ort/session.js';
import { TensorBuffer } from '../../runtime/ort/tensor-buffer.js';

/** Milliseconds of one run of each graph with one candidate a row; 0 where the kind of model has no such part. */
export interface GraphTimes {
  readonly fusedMs: number;
  readonly backboneMs: number;
  /** The energy head, or the token model's output matrix. */
  readonly headMs: number;
  readonly decoderMs: number;
}

/** Rows with a filled cache. */
export interface PreparedRows extends Closable {
  /** Times `runs` runs of each graph: the mean, as for steps. */
  measure(runs: number): Promise<GraphTimes>;
  /** Milliseconds of one run of one graph: the mean of `runs`. */
  time(name: GraphName, runs: number): Promise<number>;
}

/** Rows in whose company a graph is timed. */
interface TimedRows {
  readonly batch: number;
  readonly contextChunks: number;
  readonly cache: KvCache;
}

/** Runs of a graph before the clock starts. */
export const WARMUP_RUNS = 3;

/** Opens the graphs of a package on its own; close it when done. */
export class GraphTimer implements Closable {
  readonly #manifest: Manifest;
  readonly #sessions: PackageSessions;
  readonly #owned = new HandleStack();

  /** With `profilePrefix`, the start of a path, runs are recorded for `endProfiling`. */
  constructor(environment: OrtEnvironment, source: ModelPackage, device: Device, profilePrefix?: string) {
    this.#manifest = source.manifest;
    this.#sessions = this.#owned.own(new PackageSessions(environment, source, device, profilePrefix));
    for (const name of this.#graphs()) this.#sessions.open(name);
    // As the models do, so that the weights lie as they do there.
    this.#sessions.trim();
  }

  /** The fused step and what it consists of. */
  #graphs(): readonly GraphName[] {
    const isCalm = this.#manifest.kind === 'calm';
    return isCalm ? ['step', 'backbone', 'head', 'decoder'] : ['step', 'backbone', 'lm_head'];
  }

  /** `batch` rows whose caches hold `contextChunks` chunks, ready to be timed; close them before the timer. */
  async prepare(batch: number, contextChunks: number): Promise<PreparedRows> {
    const owned = new HandleStack();
    try {
      const cache = await this.#filledCache(batch, contextChunks, owned);
      return {
        measure: runs => this.#measure({ batch, contextChunks, cache }, runs),
        time: (name, runs) => this.#time(name, { batch, contextChunks, cache }, runs),
        close: () => owned.close(),
      };
    } catch (error) {
      owned.close();
      throw error;
    }
  }

  async #measure(rows: TimedRows, runs: number): Promise<GraphTimes> {
    const time = (name: GraphName) => this.#time(name, rows, runs);
    const isCalm = this.#manifest.kind === 'calm';
    return {
      fusedMs: await time('step'),
      backboneMs: await time('backbone'),
      headMs: await time(isCalm ? 'head' : 'lm_head'),
      decoderMs: isCalm ? await time('decoder') : 0,
    };
  }

  /** Writes what was recorded of a graph, and gives the file's path. */
  endProfiling(name: GraphName): string {
    return this.#sessions.open(name).endProfiling();
  }

  close(): void {
    this.#owned.close();
  }

  /** Rows with a prompt in them: pages that were never written would all be one page of zeros, read from the caches. */
  async #filledCache(batch: number, contextChunks: number, owned: HandleStack): Promise<KvCache> {
    const backbone = this.#sessions.open('backbone');
    const size = cacheSize(this.#manifest, { slots: batch });
    const environment = this.#sessions.environment;
    const cache = owned.own(new KvCache(environment, backbone.deviceAllocator, this.#manifest, size));
    const prefill = owned.own(new Prefill(backbone, cache, this.#manifest.chunk_size));
    const tokens = firstIds(this.#manifest, contextChunks * this.#manifest.chunk_size);
    for (let slot = 0; slot < batch; slot += 1) await prefill.run({ slot, position: 0, tokens });
    return cache;
  }

  async #time(name: GraphName, rows: TimedRows, runs: number): Promise<number> {
    const session = this.#sessions.open(name);
    const temporary = new HandleStack();
    try {
      const binding = this.#bind(session, rows, temporary);
      for (let run = 0; run < WARMUP_RUNS; run += 1) await binding.run();
      const startMs = performance.now();
      for (let run = 0; run < runs; run += 1) await binding.run();
      return (performance.now() - startMs) / runs;
    } finally {
      temporary.close();
    }
  }

  /** Binds every input to zeros of the right shape, and every output but logits that nobody reads. */
  #bind(session: Session, rows: TimedRows, temporary: HandleStack): Binding {
    const { batch } = rows;
    const binding = temporary.own(new Binding(session));
    const hasCache = session.inputs.some(input => input.name === 'seqlens_k');
    if (hasCache) this.#bindCache(session, binding, rows, temporary);
    const isOwn = (name: string) =>
      !hasCache || !/^(past|present)\.|^(input_ids|seqlens_k|total_sequence_length)$/.test(name);
    // In these graphs the first axis counts rows or candidates, and backbone's hidden has one position a row.
    const shapeOf = (shape: readonly number[]) =>
      shape.map((length, axis) => (axis === 0 ? batch : length === -1 ? 1 : length));
    for (const { name, elementType, shape } of session.inputs.filter(input => isOwn(input.name))) {
      const sized = shapeOf(shape);
      const buffer = temporary.own(new TensorBuffer(session.hostAllocator, elementType, elementCount(sized)));
      buffer.integers.fill(0);
      binding.bindHostInput(name, buffer.tensor(sized));
    }
    for (const { name, elementType, shape } of session.outputs.filter(output => isOwn(output.name))) {
      if (name === 'logits' && session.outputs.some(output => output.name === 'tokens')) continue;
      const sized = shapeOf(shape);
      const buffer = temporary.own(new TensorBuffer(session.hostAllocator, elementType, elementCount(sized)));
      binding.bindOutput(name, buffer.tensor(sized));
    }
    return binding;
  }

  #bindCache(session: Session, binding: Binding, rows: TimedRows, temporary: HandleStack): void {
    const { batch, contextChunks, cache } = rows;
    const chunkSize = this.#manifest.chunk_size;
    const inputs = temporary.own(new CacheInputs(session.hostAllocator, cache, batch * chunkSize));
    inputs.writeIds(0, firstIds(this.#manifest, batch * chunkSize));
    inputs.writeLengths(Array.from({ length: batch }, () => contextChunks + 1));
    inputs.bind(binding, 0, batch, chunkSize);
  }
}

function firstIds(manifest: Manifest, count: number): number[] {
  return Array.from({ length: count }, (_, index) => index % manifest.vocab_size);
}
