/** The token baseline behind the engine's LanguageModel: a Llama whose softmax is sampled inside the graph. */
import { uniformAt } from '../sampler/uniform.js';
import { readChunk } from './calm-model-draw.js';
import { type CacheSize, KvCache } from './kv-cache.js';
import { CacheInputs } from './kv-cache-inputs.js';
import { Prefill } from './kv-cache-prefill.js';
import type { TokenManifest } from './manifest.js';
import type { DecodeRow, LanguageModel, StepOutcome, StepPlan } from './model.js';
import { Binding } from './ort/binding.js';
import { type Closable, HandleStack } from './ort/handle.js';
import type { PackageSessions } from './ort/package-sessions.js';
import type { Session } from './ort/session.js';
import { TensorBuffer } from './ort/tensor-buffer.js';

/** What temperature 0 is sent as: it puts all of the softmax on the largest logit. */
const GREEDY_INVERSE_TEMPERATURE = 1e6;
/** The largest float32 below 1: a uniform number rounded up to 1 would lie beyond every cumulative sum. */
const LARGEST_UNIFORM = 1 - 2 ** -24;

/** Owns the package's sessions, the cache and all buffers. What is said of rows' bits at CalmModel holds here too. */
export class TokenModel implements LanguageModel {
  readonly chunkSize = 1;
  readonly vocabSize: number;
  readonly contextChunks: number;
  readonly slotCount: number;
  readonly #session: Session;
  readonly #cache: KvCache;
  readonly #prefill: Prefill;
  readonly #inputs: CacheInputs;
  readonly #inverseTemperature: TensorBuffer;
  readonly #uniform: TensorBuffer;
  readonly #tokens: TensorBuffer;
  readonly #bindings = new Map<number, Binding>();
  readonly #owned = new HandleStack();

  /** Takes ownership of `sessions`, and closes them where it throws. */
  constructor(sessions: PackageSessions, manifest: TokenManifest, size: CacheSize) {
    const own = <T extends Closable>(thing: T): T => this.#owned.own(thing);
    own(sessions);
    this.vocabSize = manifest.vocab_size;
    this.contextChunks = size.contextChunks;
    this.slotCount = size.slots;
    try {
      const backbone = sessions.open('backbone');
      this.#session = sessions.open('step');
      const host = this.#session.hostAllocator;
      this.#cache = own(new KvCache(sessions.environment, backbone.deviceAllocator, manifest, size));
      this.#prefill = own(new Prefill(backbone, this.#cache, 1));
      this.#inputs = own(new CacheInputs(host, this.#cache, size.slots));
      this.#inverseTemperature = own(new TensorBuffer(host, 'float32', size.slots));
      this.#uniform = own(new TensorBuffer(host, 'float32', size.slots));
      this.#tokens = own(new TensorBuffer(host, 'int64', size.slots));
      sessions.trim();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async step(plan: StepPlan): Promise<StepOutcome> {
    const start = performance.now();
    for (const piece of plan.prefill) await this.#prefill.run(piece);
    const decodeStart = performance.now();
    if (plan.decode.length > 0) await this.#decode(plan.decode);
    return {
      choices: plan.decode.map((_, row) => ({
        chunk: readChunk(this.#tokens.integers, row, 1),
        draws: 1,
        fallback: false,
      })),
      timings: {
        prefillMs: decodeStart - start,
        decodeMs: performance.now() - decodeStart,
        drawMs: 0,
        nativeCallCount: plan.prefill.length + (plan.decode.length > 0 ? 1 : 0),
      },
    };
  }

  moveSlot(from: number, to: number, chunks: number): void | Promise<void> {
    return this.#cache.moveRow(from, to, chunks);
  }

  close(): void {
    this.#bindings.clear();
    this.#owned.close();
  }

  async #decode(rows: readonly DecodeRow[]): Promise<void> {
    for (let index = 0; index < rows.length; index += 1) {
      const { chunk, sampling, step } = rows[index] as DecodeRow;
      const { seed, choice, temperature } = sampling;
      this.#inputs.writeIds(index, chunk);
      this.#inverseTemperature.floats[index] =
        temperature === 0 ? GREEDY_INVERSE_TEMPERATURE : 1 / temperature;
      const uniform = uniformAt({ seed, choice, step, stream: 0 });
      this.#uniform.floats[index] = Math.min(uniform, LARGEST_UNIFORM);
    }
    this.#inputs.writeLengths(rows.map(row => row.position + 1));
    await this.#binding(rows.length).run();
  }

  #binding(rows: number): Binding {
    const known = this.#bindings.get(rows);
    if (known !== undefined) return known;
    const binding = this.#owned.own(new Binding(this.#session));
    this.#inputs.bind(binding, 0, rows, 1);
    binding.bindHostInput('inverse_temperature', this.#inverseTemperature.tensor([rows, 1]));
    binding.bindHostInput('uniform', this.#uniform.tensor([rows, 1]));
    binding.bindOutput('tokens', this.#tokens.tensor([rows, 1]));
    this.#bindings.set(rows, binding);
    return binding;
  }
}
