/**
 * The token baseline behind the engine's LanguageModel: a Llama whose softmax is sampled inside the graph. Rows that ask
 * for more than a temperature have their logits read, and are sampled by src/sampler/token-sampling.
 */
import type { ChunkChoice } from '../sampler/decision.js';
import { type TokenLogprobs, tokenLogprobs } from '../sampler/token-sampling/token-logprobs.js';
import { TokenSampler } from '../sampler/token-sampling/token-sampler.js';
import { uniformAt } from '../sampler/uniform.js';
import { readChunk } from './calm-model-draw.js';
import { type CacheSize, KvCache } from './kv-cache.js';
import { CacheInputs } from './kv-cache-inputs.js';
import { Prefill } from './kv-cache-prefill.js';
import type { RowMemory } from './kv-cache-rows.js';
import type { TokenManifest } from './manifest.js';
import type { DecodeRow, LanguageModel, PrefillPiece, StepOutcome, StepPlan } from './model.js';
import { Binding } from './ort/binding.js';
import { type Closable, HandleStack } from './ort/handle.js';
import type { PackageSessions } from './ort/package-sessions.js';
import type { Session } from './ort/session.js';
import { TensorBuffer } from './ort/tensor-buffer.js';
import { PromptScores } from './prompt-scores.js';

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
  readonly rows: RowMemory | undefined;
  readonly #sessions: PackageSessions;
  readonly #manifest: TokenManifest;
  readonly #session: Session;
  readonly #cache: KvCache;
  readonly #prefill: Prefill;
  readonly #inputs: CacheInputs;
  readonly #inverseTemperature: TensorBuffer;
  readonly #uniform: TensorBuffer;
  readonly #tokens: TensorBuffer;
  /** By the number of rows: without and with their logits. */
  readonly #bindings = new Map<number, Binding>();
  readonly #logitBindings = new Map<number, Binding>();
  readonly #owned = new HandleStack();
  // Made for the first row that wants them: over a large vocabulary they are tens of megabytes.
  #logits: TensorBuffer | null = null;
  #sampler: TokenSampler | null = null;
  #promptScores: PromptScores | null = null;

  /** Takes ownership of `sessions`, and closes them where it throws. */
  constructor(sessions: PackageSessions, manifest: TokenManifest, size: CacheSize) {
    const own = <T extends Closable>(thing: T): T => this.#owned.own(thing);
    own(sessions);
    this.#sessions = sessions;
    this.#manifest = manifest;
    this.vocabSize = manifest.vocab_size;
    this.contextChunks = size.contextChunks;
    this.slotCount = size.slots;
    try {
      const backbone = sessions.open('backbone');
      this.#session = sessions.open('step');
      const host = this.#session.hostAllocator;
      this.#cache = own(new KvCache(sessions.environment, backbone.deviceAllocator, manifest, size));
      this.rows = this.#cache.rows;
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
    const scores: (readonly TokenLogprobs[] | null)[] = [];
    for (const piece of plan.prefill) scores.push(await this.#runPrefill(piece));
    const decodeStart = performance.now();
    if (plan.decode.length > 0) await this.#decode(plan.decode);
    return {
      choices: plan.decode.map((row, index) => this.#choice(row, index)),
      ...(scores.some(score => score !== null) ? { scores } : {}),
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
    this.#logitBindings.clear();
    this.#owned.close();
  }

  async #runPrefill(piece: PrefillPiece): Promise<TokenLogprobs[] | null> {
    if (!piece.scoring) {
      await this.#prefill.run(piece);
      return null;
    }
    const scores = this.#openScores();
    await this.#prefill.runForStates(piece, positions => scores.hiddenStates(positions));
    return scores.read(piece.scoring);
  }

  #openScores(): PromptScores {
    const { deviceAllocator } = this.#session;
    this.#promptScores ??= this.#owned.own(
      new PromptScores(this.#sessions.open('lm_head'), deviceAllocator, this.#manifest, this.contextChunks),
    );
    return this.#promptScores;
  }

  /** The token that the graph drew; or the sampler, where the row has controls. */
  #choice({ sampling, step, history }: DecodeRow, index: number): ChunkChoice | Error {
    const { controls, logprobs, temperature, seed, choice } = sampling;
    const drawn = { draws: 1, fallback: false };
    const chunk = readChunk(this.#tokens.integers, index, 1);
    if (!controls && logprobs === undefined) return { chunk, ...drawn };
    const logits = this.#rowLogits(index);
    // The sampler changes the logits, and what is reported is the model's own.
    const reported = logprobs === undefined ? null : logits.slice();
    try {
      if (controls && history) {
        this.#sampler ??= new TokenSampler(this.vocabSize);
        const uniform = uniformAt({ seed, choice, step, stream: 0 });
        chunk[0] = this.#sampler.choose({ logits, temperature, controls, history, uniform });
      }
    } catch (error) {
      return error as Error;
    }
    const token = chunk[0] as number;
    return {
      chunk,
      ...drawn,
      ...(reported ? { logprobs: [tokenLogprobs(reported, token, logprobs ?? 0)] } : {}),
    };
  }

  #rowLogits(row: number): Float32Array {
    const start = row * this.vocabSize;
    return (this.#logits as TensorBuffer).floats.subarray(start, start + this.vocabSize);
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
    const wantsLogits = rows.some(({ sampling }) => sampling.controls || sampling.logprobs !== undefined);
    await (wantsLogits ? this.#logitBinding(rows.length) : this.#binding(rows.length)).run();
  }

  #binding(rows: number): Binding {
    const known = this.#bindings.get(rows);
    if (known !== undefined) return known;
    const binding = this.#makeBinding(rows);
    this.#bindings.set(rows, binding);
    return binding;
  }

  #logitBinding(rows: number): Binding {
    const known = this.#logitBindings.get(rows);
    if (known !== undefined) return known;
    const size = this.slotCount * this.vocabSize;
    this.#logits ??= this.#owned.own(new TensorBuffer(this.#session.hostAllocator, 'float32', size));
    const binding = this.#makeBinding(rows);
    binding.bindOutput('logits', this.#logits.tensor([rows, this.vocabSize]));
    this.#logitBindings.set(rows, binding);
    return binding;
  }

  #makeBinding(rows: number): Binding {
    const binding = this.#owned.own(new Binding(this.#session));
    this.#inputs.bind(binding, 0, rows, 1);
    binding.bindHostInput('inverse_temperature', this.#inverseTemperature.tensor([rows, 1]));
    binding.bindHostInput('uniform', this.#uniform.tensor([rows, 1]));
    binding.bindOutput('tokens', this.#tokens.tensor([rows, 1]));
    return binding;
  }
}
