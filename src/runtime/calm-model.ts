/** A CALM behind the engine's LanguageModel: prefill, one fused step for all rows, then further candidates. */
import type { ChunkChoice } from '../sampler/decision.js';
import type { fillNoise } from '../sampler/noise.js';
import { RowDecision } from './calm-model-decision.js';
import { Decode } from './calm-model-decode.js';
import { CandidateDraw } from './calm-model-draw.js';
import { type CacheSize, KvCache } from './kv-cache.js';
import type { RowMemory } from './kv-cache-rows.js';
import { Prefill } from './kv-cache-prefill.js';
import type { CalmManifest } from './manifest.js';
import type { DecodeRow, LanguageModel, StepOutcome, StepPlan } from './model.js';
import { activationElementType } from './ort/graph-contract.js';
import { type Closable, HandleStack } from './ort/handle.js';
import type { PackageSessions } from './ort/package-sessions.js';
import { TensorBuffer } from './ort/tensor-buffer.js';

/** Writes the noise of one candidate, `size` numbers in [-0.5, 0.5), to `out[offset .. offset + size)`. */
export type NoiseSource = typeof fillNoise;

/** Which graphs run, and on what noise. All graphs draw from the same law; where their bits differ, a model stays with one of them. */
export interface CalmModelOptions {
  /** `step` for the backbone and the first candidate in one call; otherwise `backbone`, and `draw` for all candidates. */
  readonly fusedStep: boolean;
  /** `head` and `decoder` one after the other instead of `draw`. */
  readonly splitDraw: boolean;
  readonly noise: NoiseSource;
  /** Candidates for one chunk after which the exact sampler gives up. */
  readonly exactDrawLimit: number;
}

/** Times and calls of one step, added up while it runs. */
interface StepClock {
  prefillMs: number;
  decodeMs: number;
  drawMs: number;
  nativeCallCount: number;
}

/**
 * Owns the package's sessions, the cache and all buffers. On the CPU a row's bits are the same alone and in any
 * company, and however its prompt was cut into pieces, as long as the package keeps to the block sizes of
 * docs/model-package.md.
 */
export class CalmModel implements LanguageModel {
  readonly chunkSize: number;
  readonly vocabSize: number;
  readonly contextChunks: number;
  readonly slotCount: number;
  readonly rows: RowMemory | undefined;
  readonly #manifest: CalmManifest;
  readonly #noise: NoiseSource;
  readonly #exactDrawLimit: number;
  readonly #cache: KvCache;
  readonly #prefill: Prefill;
  readonly #decode: Decode;
  readonly #draw: CandidateDraw;
  readonly #owned = new HandleStack();

  /** Takes ownership of `sessions`, and closes them where it throws. */
  constructor(sessions: PackageSessions, manifest: CalmManifest, size: CacheSize, options: CalmModelOptions) {
    const own = <T extends Closable>(thing: T): T => this.#owned.own(thing);
    own(sessions);
    this.#noise = options.noise;
    this.#exactDrawLimit = options.exactDrawLimit;
    this.chunkSize = manifest.chunk_size;
    this.vocabSize = manifest.vocab_size;
    this.contextChunks = size.contextChunks;
    this.slotCount = size.slots;
    this.#manifest = manifest;
    try {
      const backbone = sessions.open('backbone');
      const decodeSession = options.fusedStep ? sessions.open('step') : backbone;
      this.#cache = own(new KvCache(sessions.environment, backbone.deviceAllocator, manifest, size));
      this.rows = this.#cache.rows;
      const states = size.slots * manifest.backbone.hidden_size;
      const element = activationElementType(manifest);
      const hidden = own(new TensorBuffer(backbone.deviceAllocator, element, states));
      this.#prefill = own(new Prefill(backbone, this.#cache, manifest.chunk_size));
      this.#decode = own(new Decode(decodeSession, options.fusedStep, manifest, this.#cache, hidden));
      this.#draw = own(new CandidateDraw(sessions, manifest, hidden, options.splitDraw));
      sessions.trim();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  async step(plan: StepPlan): Promise<StepOutcome> {
    const clock: StepClock = { prefillMs: 0, decodeMs: 0, drawMs: 0, nativeCallCount: 0 };
    const start = performance.now();
    for (const piece of plan.prefill) {
      await this.#prefill.run(piece);
      clock.nativeCallCount += 1;
    }
    clock.prefillMs = performance.now() - start;
    const choices = plan.decode.length === 0 ? [] : await this.#choose(plan.decode, clock);
    return { choices, timings: clock };
  }

  moveSlot(from: number, to: number, chunks: number): void | Promise<void> {
    return this.#cache.moveRow(from, to, chunks);
  }

  close(): void {
    this.#owned.close();
  }

  async #choose(rows: readonly DecodeRow[], clock: StepClock): Promise<(ChunkChoice | Error)[]> {
    const decisions = rows.map(row => new RowDecision(row, this.#exactDrawLimit));
    if (this.#decode.fused) {
      for (const [index, row] of rows.entries()) this.#fillNoise(this.#decode.noise, index, row, 0);
    }
    const decodeStart = performance.now();
    await this.#decode.run(rows);
    clock.decodeMs = performance.now() - decodeStart;
    clock.nativeCallCount += 1;
    if (this.#decode.fused) {
      for (const [row, decision] of decisions.entries()) decision.give(this.#decode.chunk(row));
    }
    while (decisions.some(decision => decision.missing > 0)) await this.#drawRound(rows, decisions, clock);
    return decisions.map(decision => decision.outcome as ChunkChoice | Error);
  }

  /** Draws for every row what it now waits for; rows share native calls, and no call exceeds the draw's capacity. */
  async #drawRound(
    rows: readonly DecodeRow[],
    decisions: readonly RowDecision[],
    clock: StepClock,
  ): Promise<void> {
    const queue: { row: number; candidate: number }[] = [];
    for (const [row, decision] of decisions.entries()) {
      const first = decision.nextCandidate;
      for (let i = 0; i < decision.missing; i += 1) queue.push({ row, candidate: first + i });
    }
    for (let start = 0; start < queue.length; start += this.#draw.capacity) {
      const batch = queue.slice(start, start + this.#draw.capacity);
      for (const [index, { row, candidate }] of batch.entries()) {
        this.#draw.setRow(index, row);
        this.#fillNoise(this.#draw.noise, index, rows[row] as DecodeRow, candidate);
      }
      const drawStart = performance.now();
      await this.#draw.run(rows.length, batch.length);
      clock.drawMs += performance.now() - drawStart;
      clock.nativeCallCount += this.#draw.nativeCallsPerRun;
      for (const [index, { row }] of batch.entries()) decisions[row]?.give(this.#draw.chunk(index));
    }
  }

  #fillNoise(noise: Float32Array, index: number, row: DecodeRow, candidate: number): void {
    const size = this.#manifest.head.noise_size;
    const { seed, choice } = row.sampling;
    this.#noise(noise, index * size, size, { seed, choice, step: row.step, candidate });
  }
}
