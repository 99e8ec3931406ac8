/** Counters of one engine since it began, for metrics and tests. */
import type { ChunkEvent } from './request.js';
import type { RunOutcome } from './step-plan.js';

/** A snapshot of the engine. Counters grow for as long as the engine lives; gauges say how it stands now. */
export interface EngineStats {
  /** Gauges. */
  readonly slotCount: number;
  readonly leasedSlots: number;
  readonly waiting: number;
  readonly running: number;
  readonly prefixCacheBytes: number;
  /** Counters. */
  readonly steps: number;
  readonly failedSteps: number;
  readonly submitted: number;
  readonly finished: {
    readonly stop: number;
    readonly length: number;
    readonly aborted: number;
    readonly error: number;
  };
  /** Prompt tokens of requests that started, and those of them that were found in the prefix cache. */
  readonly prefixQueriedTokens: number;
  readonly prefixHitTokens: number;
  readonly prefillChunks: number;
  readonly generatedChunks: number;
  /** Tokens delivered, cut ones not counted. */
  readonly generatedTokens: number;
  readonly draws: number;
  /** Tokens of candidates that were decoded. */
  readonly decodedPositions: number;
  readonly fallbacks: number;
  /** Times that a step left a row's decision open, to be gone on with in the next. */
  readonly openDecisions: number;
  /** Copies of one cache row onto another. */
  readonly slotMoves: number;
  readonly nativeCalls: number;
  /** Most rows that decoded in one step. */
  readonly largestBatch: number;
  /** Most steps from one chunk of a text to its next: 1 where none paused and no decision took several steps. */
  readonly largestChunkGapSteps: number;
  /** Milliseconds in steps; the engine's own share is `stepMs - modelMs`. */
  readonly stepMs: number;
  /** Milliseconds that steps waited for the model: its prefill, decode and draw times and its own overhead. */
  readonly modelMs: number;
  readonly prefillMs: number;
  readonly decodeMs: number;
  readonly drawMs: number;
}

type Gauges = Pick<EngineStats, 'slotCount' | 'leasedSlots' | 'waiting' | 'running' | 'prefixCacheBytes'>;

/** What of a plan is counted. */
interface PlannedWork {
  readonly moves: readonly unknown[];
  readonly prefill: readonly { readonly chunkCount: number }[];
  readonly decode: readonly unknown[];
}

export class EngineMetrics {
  readonly #finished = { stop: 0, length: 0, aborted: 0, error: 0 };
  readonly #counters = {
    steps: 0,
    failedSteps: 0,
    submitted: 0,
    prefixQueriedTokens: 0,
    prefixHitTokens: 0,
    prefillChunks: 0,
    generatedChunks: 0,
    generatedTokens: 0,
    draws: 0,
    decodedPositions: 0,
    fallbacks: 0,
    openDecisions: 0,
    slotMoves: 0,
    nativeCalls: 0,
    largestBatch: 0,
    largestChunkGapSteps: 0,
    stepMs: 0,
    modelMs: 0,
    prefillMs: 0,
    decodeMs: 0,
    drawMs: 0,
  };
  /** Number of the step that chose a running text's last chunk. */
  readonly #lastChunkStep = new WeakMap<object, number>();

  requestSubmitted(): void {
    this.#counters.submitted += 1;
  }

  requestFinished(ending: { readonly kind: keyof EngineStats['finished'] }): void {
    this.#finished[ending.kind] += 1;
  }

  stepPlanned(plan: PlannedWork): void {
    const counters = this.#counters;
    counters.steps += 1;
    for (const { chunkCount } of plan.prefill) counters.prefillChunks += chunkCount;
    counters.slotMoves += plan.moves.length;
    counters.largestBatch = Math.max(counters.largestBatch, plan.decode.length);
  }

  /** A request started whose prompt was looked up in the prefix cache. */
  prefixLookedUp(promptTokens: number, hitTokens: number): void {
    this.#counters.prefixQueriedTokens += promptTokens;
    this.#counters.prefixHitTokens += hitTokens;
  }

  modelReturned({ timings, modelMs }: RunOutcome): void {
    const counters = this.#counters;
    counters.modelMs += modelMs;
    counters.prefillMs += timings.prefillMs;
    counters.decodeMs += timings.decodeMs;
    counters.drawMs += timings.drawMs;
    counters.nativeCalls += timings.nativeCallCount;
  }

  /** `text` stands for the request that the chunk belongs to. */
  chunkChosen(event: ChunkEvent, text: object): void {
    const counters = this.#counters;
    counters.generatedChunks += 1;
    counters.generatedTokens += event.tokens.length;
    counters.draws += event.draws;
    counters.decodedPositions += event.decodedPositions;
    if (event.fallback) counters.fallbacks += 1;
    const gap = counters.steps - (this.#lastChunkStep.get(text) ?? counters.steps);
    counters.largestChunkGapSteps = Math.max(counters.largestChunkGapSteps, gap);
    this.#lastChunkStep.set(text, counters.steps);
  }

  decisionLeftOpen(): void {
    this.#counters.openDecisions += 1;
  }

  stepFailed(): void {
    this.#counters.failedSteps += 1;
  }

  /** The whole step's time, model and engine. */
  stepDone(stepMs: number): void {
    this.#counters.stepMs += stepMs;
  }

  snapshot(gauges: Gauges): EngineStats {
    return { ...gauges, ...this.#counters, finished: { ...this.#finished } };
  }
}
