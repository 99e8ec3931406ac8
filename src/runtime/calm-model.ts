/** A CALM behind the engine's LanguageModel: prefill, one fused step for all rows, then further candidates. */
import type { TemperatureLaw } from '../sampler/settings.js';
import { RowDecision, type RowDecisionOptions } from './calm-model-decision.js';
import { Decode } from './calm-model-decode.js';
import { CandidateDraw } from './calm-model-draw.js';
import { PositionDraw } from './calm-model-draw-position.js';
import { type DrawingRow, DrawRounds } from './calm-model-rounds.js';
import { decodeRuns } from './decode-runs.js';
import { DrawBudget } from './draw-budget.js';
import { type CacheSize, KvCache } from './kv-cache.js';
import { Prefill } from './kv-cache-prefill.js';
import type { RowMemory } from './kv-cache-rows.js';
import type { CalmManifest } from './manifest.js';
import type { DecodeRow, LanguageModel, RowOutcome, StepOutcome, StepPlan } from './model.js';
import type { NoiseSource } from './noise-source.js';
import { activationElementType } from './ort/graph-contract.js';
import { type Closable, HandleStack } from './ort/handle.js';
import type { PackageSessions } from './ort/package-sessions.js';
import { TensorBuffer } from './ort/tensor-buffer.js';

/** Which graphs run, and on what noise. All graphs draw from the same law; where their bits differ, a model stays with one of them. */
export interface CalmModelOptions {
  /** `step` for the backbone and the first candidate in one call; otherwise `backbone`, and `draw` for all candidates. */
  readonly fusedStep: boolean;
  /** `head` and `decoder` one after the other instead of `draw`. */
  readonly splitDraw: boolean;
  /** `position` for single tokens of candidates, where a decision can do with them. */
  readonly partialDraw: boolean;
  readonly noise: NoiseSource;
  /** Candidates for one chunk after which the exact sampler gives up. */
  readonly exactDrawLimit: number;
  /** Candidates that one step draws for all rows together; by default as the decode's time allows (draw-budget.ts). */
  readonly drawsPerStep?: number | undefined;
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
  readonly #decisionOptions: RowDecisionOptions;
  readonly #cache: KvCache;
  readonly #prefill: Prefill;
  readonly #decode: Decode;
  readonly #rounds: DrawRounds;
  readonly #budget: DrawBudget;
  /** The decision for whose row the hidden state in each slot's place was computed. */
  readonly #stateOwners = new Map<number, RowDecision>();
  readonly #owned = new HandleStack();

  /** Takes ownership of `sessions`, and closes them where it throws. */
  constructor(sessions: PackageSessions, manifest: CalmManifest, size: CacheSize, options: CalmModelOptions) {
    const own = <T extends Closable>(thing: T): T => this.#owned.own(thing);
    own(sessions);
    this.#noise = options.noise;
    this.chunkSize = manifest.chunk_size;
    this.vocabSize = manifest.vocab_size;
    this.contextChunks = size.contextChunks;
    this.slotCount = size.slots;
    this.#manifest = manifest;
    this.#decisionOptions = {
      chunkSize: manifest.chunk_size,
      exactDrawLimit: options.exactDrawLimit,
      partialLaws: options.partialDraw ? partialLawsOf(manifest) : [],
    };
    this.#budget = new DrawBudget(options.drawsPerStep);
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
      const draw = own(new CandidateDraw(sessions, manifest, hidden, options.splitDraw));
      const single = options.partialDraw ? own(new PositionDraw(sessions, manifest, hidden)) : null;
      this.#rounds = new DrawRounds({ whole: draw, single }, this.#budget, (...args) =>
        this.#fillNoise(...args),
      );
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

  async #choose(rows: readonly DecodeRow[], clock: StepClock): Promise<RowOutcome[]> {
    const sharers = rows.filter(({ sampling }) => sampling.temperature !== 1).length;
    const batch = rows.map(row => {
      const decision =
        row.open instanceof RowDecision ? row.open : new RowDecision(row, this.#decisionOptions, sharers);
      return { row, decision };
    });
    const startMs = performance.now();
    // A row whose state is still in its place from an earlier step need not be decoded again.
    const runs = decodeRuns(batch.map(({ decision }, slot) => this.#stateOwners.get(slot) !== decision));
    for (const { first, count } of runs) {
      for (let slot = first; slot < first + count; slot += 1) this.#stateOwners.delete(slot);
      await this.#decodeRun(batch.slice(first, first + count), first);
      for (let slot = first; slot < first + count; slot += 1) {
        this.#stateOwners.set(slot, batch[slot]!.decision);
      }
    }
    clock.decodeMs = performance.now() - startMs;
    clock.nativeCallCount += runs.length;
    if (runs.length > 0) this.#budget.decodeTook(clock.decodeMs);
    await this.#rounds.run(batch, clock);
    return batch.map(({ decision }) => decision.outcome ?? decision);
  }

  /** Decodes neighbouring rows; where the graph is fused, each gets its next candidate with it. */
  async #decodeRun(batch: readonly DrawingRow[], firstSlot: number): Promise<void> {
    const { fused, noise } = this.#decode;
    if (fused) {
      for (const [index, { row, decision }] of batch.entries()) {
        try {
          const candidate =
            decision.wantsNewCandidates && decision.missing > 0 ? decision.part(0).candidate : 0;
          this.#fillNoise(noise, index, row, candidate);
        } catch (error) {
          decision.fail(error);
        }
      }
    }
    await this.#decode.run(
      batch.map(({ row }) => row),
      firstSlot,
    );
    if (!fused) return;
    for (const [index, { decision }] of batch.entries()) {
      if (decision.wantsNewCandidates) decision.give(this.#decode.chunk(index));
    }
  }

  #fillNoise(noise: Float32Array, index: number, row: DecodeRow, candidate: number): void {
    const size = this.#manifest.head.noise_size;
    const { seed, choice } = row.sampling;
    this.#noise(noise, index * size, size, { seed, choice, step: row.step, candidate });
  }
}

/** A vocabulary of so many tokens is most of what a candidate costs. */
const LARGE_VOCABULARY = 32_768;

/**
 * The token law looks at single positions by nature. The chunk law has to look again and again at candidates that begin
 * alike, in small native calls, which pays where a position is dear (docs/experiments/sampling-partial-decoding.md).
 */
function partialLawsOf({ vocab_size }: CalmManifest): readonly TemperatureLaw[] {
  return vocab_size >= LARGE_VOCABULARY ? ['token', 'chunk'] : ['token'];
}
