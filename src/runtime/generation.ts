/**
 * One request on its way through the engine. Its status is waiting, running or finished; the rest is arithmetic on
 * two counters, the chunks known and the chunks cached.
 */
import { setMaxListeners } from 'node:events';
import { CalmError } from '../errors.js';
import type { Chunk, ChunkChoice } from '../sampler/decision.js';
import type { TokenHistory } from '../sampler/settings.js';
import type { TokenLogprobs } from '../sampler/token-sampling/token-logprobs.js';
import { ChunkStream } from './chunk-stream.js';
import type { OpenDecision, PieceScoring } from './model.js';
import type { AlignedPrompt } from './prompt.js';
import type { ChunkEvent, FinishReason, GenerationRequest } from './request.js';
import type { SlotLease } from './slots.js';

/** How a request ended: by itself, because its caller left, or by an error. */
export type Ending =
  | { readonly kind: FinishReason }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'error'; readonly error: CalmError };

/** A slot exists only while running, an ending only when finished. */
export type GenerationStatus =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'running'; readonly lease: SlotLease }
  | { readonly kind: 'finished'; readonly ending: Ending };

/** What a generation is made of, besides its request. */
export interface GenerationInput {
  readonly request: GenerationRequest;
  readonly prompt: AlignedPrompt;
  readonly chunkSize: number;
  /** Chunks that the cache holds for one request. */
  readonly contextChunks: number;
  readonly submittedMs: number;
  /** Called where the caller goes away: its signal aborts, or it leaves the loop over the stream. */
  readonly onLeave: () => void;
}

export class Generation {
  readonly request: GenerationRequest;
  readonly stream: ChunkStream;
  /** Most tokens to deliver: the request's, or what the context has room for. */
  readonly tokenLimit: number;
  /** Chunks whose keys and values are in the cache. */
  cachedChunks = 0;
  /** Chunks generated. */
  step = 0;
  /** The decision about the next chunk, where a step has left it open. */
  openDecision: OpenDecision | null = null;

  /** Candidates that the latest chunks needed in the mean; undefined before the first. */
  expectedDraws: number | undefined;

  /** The prompt on chunk borders. */
  readonly promptTokens: readonly number[];
  /** Prompt tokens, BOS that alignment added not counted, whose keys and values were there when it started. */
  reusedTokens = 0;
  /** Of the prompt, what the first chunk begins with. */
  readonly #given: readonly number[];
  readonly #promptChunks: number;
  readonly #chunkSize: number;
  readonly #stopTokenIds: ReadonlySet<number>;
  /** What token controls need to know; null where the request has none. */
  readonly #generatedTokens: number[] | null;
  readonly #submittedMs: number;
  readonly #onLeave: () => void;
  readonly #signal: AbortSignal | undefined;
  #status: GenerationStatus = { kind: 'waiting' };
  #lastChunk: Chunk;
  #deliveredTokens = 0;
  #queuedMs = 0;
  #firstChunkMs: number | undefined;
  /** Of the prompt's tokens so far; null where they are not wanted, or handed over. */
  #promptLogprobs: TokenLogprobs[] | null;

  /** Throws `aborted` where the signal is aborted already. */
  constructor(input: GenerationInput, signal?: AbortSignal) {
    if (signal?.aborted) throw abortedError();
    this.request = input.request;
    this.stream = new ChunkStream(input.onLeave);
    this.promptTokens = input.prompt.tokens;
    this.#given = input.prompt.given;
    this.#chunkSize = input.chunkSize;
    this.#promptChunks = this.promptTokens.length / input.chunkSize;
    this.#lastChunk = this.promptTokens.slice(-input.chunkSize);
    this.#stopTokenIds = new Set(input.request.stopTokenIds);
    this.#promptLogprobs = input.request.promptLogprobs === undefined ? null : [];
    this.#generatedTokens = input.request.sampling.controls ? [] : null;
    this.#submittedMs = input.submittedMs;
    this.#onLeave = input.onLeave;
    this.#signal = signal;
    if (signal) {
      // The choices of one request may share its signal; more than ten listeners are no leak here.
      setMaxListeners(0, signal);
      signal.addEventListener('abort', input.onLeave);
    }
    // The last chunk of a text is never fed back, so it needs no room in the cache.
    const room = (input.contextChunks - this.#promptChunks + 1) * input.chunkSize - this.#given.length;
    this.tokenLimit = Math.min(input.request.maxTokens, room);
  }

  get status(): GenerationStatus {
    return this.#status;
  }

  /** Chunks known but not cached: more than one is a prefill, one a decode step. */
  get pendingChunks(): number {
    return this.#promptChunks + this.step - this.cachedChunks;
  }

  /** The row held; throws where the request is not running. */
  get lease(): SlotLease {
    if (this.#status.kind !== 'running') throw new Error(`a ${this.#status.kind} request holds no slot`);
    return this.#status.lease;
  }

  /** The chunk to feed next in a decode step. */
  get lastChunk(): Chunk {
    return this.#lastChunk;
  }

  /** What the next chunk begins with already. */
  get given(): readonly number[] {
    return this.step === 0 ? this.#given : [];
  }

  /** What token controls look at; undefined where the request has none. */
  get history(): TokenHistory | undefined {
    const generatedTokens = this.#generatedTokens;
    if (generatedTokens === null) return undefined;
    const { promptTokens, stopTokenIds } = this.request;
    return { promptTokens, generatedTokens, stopTokenIds };
  }

  /** Ids of the next `chunkCount` prompt chunks that are not cached. */
  promptPiece(chunkCount: number): readonly number[] {
    const start = this.cachedChunks * this.#chunkSize;
    return this.promptTokens.slice(start, start + chunkCount * this.#chunkSize);
  }

  /** Whether every chunk of the prompt must run through the model, even where its keys and values are kept. */
  get needsWholePrompt(): boolean {
    return this.request.promptLogprobs !== undefined;
  }

  /** What is wanted of the same piece beside the cache; undefined for nothing. */
  pieceScoring(chunkCount: number): PieceScoring | undefined {
    const topCount = this.request.promptLogprobs;
    if (topCount === undefined) return undefined;
    const start = this.cachedChunks * this.#chunkSize + 1;
    return { followers: this.promptTokens.slice(start, start + chunkCount * this.#chunkSize), topCount };
  }

  /** Keeps what the model said of a piece's followers until the first chunk is handed over. */
  scored(logprobs: readonly TokenLogprobs[]): void {
    this.#promptLogprobs?.push(...logprobs);
  }

  /** Waiting -> running. */
  start(lease: SlotLease, nowMs: number): void {
    if (this.#status.kind !== 'waiting') throw new Error(`a ${this.#status.kind} request cannot start`);
    this.#status = { kind: 'running', lease };
    this.#queuedMs = nowMs - this.#submittedMs;
    const addedBos = this.promptTokens.length + this.#given.length - this.request.promptTokens.length;
    this.reusedTokens = Math.max(0, this.cachedChunks * this.#chunkSize - addedBos);
  }

  /** Waiting or running -> finished: gives the slot back and closes the stream. False where it was finished before. */
  finish(ending: Ending): boolean {
    if (this.#status.kind === 'finished') return false;
    const { status } = this;
    this.#status = { kind: 'finished', ending };
    if (status.kind === 'running') status.lease[Symbol.dispose]();
    this.#signal?.removeEventListener('abort', this.#onLeave);
    if (ending.kind === 'error') this.stream.fail(ending.error);
    else if (ending.kind === 'aborted') this.stream.fail(abortedError());
    else this.stream.end();
    return true;
  }

  /** Books a decode step: the last chunk is cached, the chosen one known; hands over what of it is delivered. */
  accept(choice: ChunkChoice, nowMs: number): ChunkEvent {
    const givenCount = this.given.length;
    const chosen = choice.chunk.slice(givenCount);
    this.openDecision = null;
    this.expectedDraws = runningMean(this.expectedDraws, choice.drawsNeeded ?? choice.draws);
    this.cachedChunks += 1;
    this.step += 1;
    this.#lastChunk = choice.chunk;
    this.#generatedTokens?.push(...chosen);
    const elapsedMs = nowMs - this.#submittedMs;
    this.#firstChunkMs ??= elapsedMs;
    const delivered = this.#deliver(chosen);
    const scoredTokens = delivered.tokens.length + (delivered.stopTokenId === undefined ? 0 : 1);
    const event = {
      ...delivered,
      ...(choice.logprobs ? { logprobs: choice.logprobs.slice(0, scoredTokens) } : {}),
      ...(this.#promptLogprobs ? { promptLogprobs: this.#promptLogprobs } : {}),
      reusedPromptTokens: this.reusedTokens,
      draws: choice.draws,
      decodedPositions: choice.decodedPositions ?? choice.draws * choice.chunk.length,
      fallback: choice.fallback,
      ...(choice.statistics ? { statistics: choice.statistics.slice(givenCount) } : {}),
      timing: { queuedMs: this.#queuedMs, firstChunkMs: this.#firstChunkMs, elapsedMs },
    };
    this.#promptLogprobs = null;
    this.stream.push(event);
    return event;
  }

  /** Cuts a chunk at the first stop token that may stop, and at the token limit. */
  #deliver(chunk: Chunk): Pick<ChunkEvent, 'tokens' | 'finishReason' | 'stopTokenId'> {
    const tokens: number[] = [];
    for (const token of chunk) {
      if (this.#deliveredTokens === this.tokenLimit) break;
      if (this.#stopTokenIds.has(token) && this.#deliveredTokens >= this.request.minTokens) {
        return { tokens, finishReason: 'stop', stopTokenId: token };
      }
      tokens.push(token);
      this.#deliveredTokens += 1;
    }
    return { tokens, finishReason: this.#deliveredTokens === this.tokenLimit ? 'length' : null };
  }
}

/** Weight of the newest chunk in the mean of draws. */
const NEWEST = 0.2;

function runningMean(mean: number | undefined, value: number): number {
  return mean === undefined ? value : mean + NEWEST * (value - mean);
}

function abortedError(): CalmError {
  return new CalmError('aborted', 'The request was cancelled by its caller.');
}
