/**
 * What the engine knows of a model: slots of a cache, prefill pieces, and decode rows that each come back with
 * one chosen chunk. A token model is a model with chunk size 1.
 */
import type { Chunk, ChunkChoice } from '../sampler/decision.js';
import type { SamplingSettings, TokenHistory } from '../sampler/settings.js';
import type { TokenLogprobs } from '../sampler/token-sampling/token-logprobs.js';
import type { RowMemory } from './kv-cache-rows.js';

/** Some chunks of one prompt, to be written into the cache; no output is wanted from them but their scores. */
export interface PrefillPiece {
  /** Row of the cache. */
  readonly slot: number;
  /** Chunks of this row that the cache holds already: the piece's first position. */
  readonly position: number;
  /** Token ids, a whole number of chunks. */
  readonly tokens: readonly number[];
  /** Wanted log-probabilities; token models only. */
  readonly scoring?: PieceScoring;
}

/** What is to be said of the tokens that follow those of a prefill piece. */
export interface PieceScoring {
  /** For each token of the piece the one that follows it in the prompt. */
  readonly followers: readonly number[];
  /** How many of the most probable tokens are wanted with each. */
  readonly topCount: number;
}

/** One running request's turn in the batch: feed its last chunk, choose the next one. Row i uses slot i. */
export interface DecodeRow {
  /** Chunks of this row that the cache holds already: the position of `chunk`. */
  readonly position: number;
  /** The last chunk known: of the prompt at first, then the chunk chosen last. */
  readonly chunk: Chunk;
  readonly sampling: SamplingSettings;
  /** Chunks generated so far for this request; part of the random key. */
  readonly step: number;
  /** Tokens that the chunk to be chosen begins with, fewer than it has; none where it is left out. */
  readonly given?: readonly number[];
  /** Candidates that the latest chunks needed in the mean; left out for the first one. */
  readonly expectedDraws?: number;
  /** The decision that an earlier step left open on this very chunk. */
  readonly open?: OpenDecision;
  /** What token controls look at; there where `sampling` has controls. Its lists grow while the request runs. */
  readonly history?: TokenHistory;
}

/** What one engine step asks of the model. Prefill pieces run first, in order, then all decode rows at once. */
export interface StepPlan {
  readonly prefill: readonly PrefillPiece[];
  /** Rows of slots 0..decode.length-1. */
  readonly decode: readonly DecodeRow[];
}

/** Times of one step in milliseconds, for benchmarks and metrics. */
export interface StepTimings {
  readonly prefillMs: number;
  /** The fused one-draw call, or the backbone where the graphs run apart. */
  readonly decodeMs: number;
  /** Further candidates. */
  readonly drawMs: number;
  readonly nativeCallCount: number;
}

/**
 * A decision that wants more candidates than one step draws. Only the model looks inside; the row's next turn brings
 * it back, wherever the row is then.
 */
export interface OpenDecision {
  readonly kind: 'open';
}

/** A row's choice, the error that concerns it alone, or a decision to be gone on with. */
export type RowOutcome = ChunkChoice | Error | OpenDecision;

/** One entry for each decode row, in order. */
export interface StepOutcome {
  readonly choices: readonly RowOutcome[];
  /** For each prefill piece, in order, the followers' log-probabilities; left out where no piece wants them. */
  readonly scores?: readonly (readonly TokenLogprobs[] | null)[];
  readonly timings: StepTimings;
}

/** A loaded model with its cache. Calls must not overlap: the engine awaits each one. */
export interface LanguageModel {
  /** Tokens a chunk, K; 1 for a token model. */
  readonly chunkSize: number;
  readonly vocabSize: number;
  /** Chunks that one slot of the cache can hold. */
  readonly contextChunks: number;
  /** Rows of the cache. */
  readonly slotCount: number;
  /** The rows in CPU memory, to keep parts of them; left out where they lie on a device. */
  readonly rows?: RowMemory | undefined;
  /** Runs one step. Rejects only where the whole step failed; the cache rows of the plan are then undefined. */
  step(plan: StepPlan): Promise<StepOutcome>;
  /** Copies the first `chunks` chunks of a cache row onto another row. */
  moveSlot(from: number, to: number, chunks: number): void | Promise<void>;
  /** Releases every native handle. Must not be called while a step runs. */
  close(): void;
}
