/**
 * A language model without weights. Its cache is a table of chunks, and its law for the next chunk is a hash of
 * everything that the row's cache holds up to the position: a mixed-up slot, a wrong position or a copy onto a live
 * row changes the text. What nobody may read is poisoned.
 */
import type { RowMemory } from '../../src/runtime/kv-cache-rows.js';
import type {
  DecodeRow,
  LanguageModel,
  OpenDecision,
  StepOutcome,
  StepPlan,
} from '../../src/runtime/model.js';
import type { Chunk, ChunkChoice, ChunkDecision, DecisionContext, Wish } from '../../src/sampler/decision.js';
import type { SamplingSettings } from '../../src/sampler/settings.js';
import { startDecision } from '../../src/sampler/start-decision.js';
import { uniformAt } from '../../src/sampler/uniform.js';

export interface FakeShape {
  readonly chunkSize: number;
  readonly vocabSize: number;
  readonly contextChunks: number;
  readonly slotCount: number;
}

/**
 * What the cache holds of one chunk. `alone`: a prefill piece of one chunk wrote it; a real backbone takes another
 * kernel there, with other bits.
 */
export interface CachedChunk {
  readonly tokens: Chunk;
  readonly alone: boolean;
}

export class FakeModel implements LanguageModel {
  readonly chunkSize: number;
  readonly vocabSize: number;
  readonly contextChunks: number;
  readonly slotCount: number;
  /** Every plan that was run, in order. */
  readonly plans: StepPlan[] = [];
  readonly moves: { from: number; to: number; chunks: number }[] = [];
  /** Called while a step runs; may submit and abort, wait, or throw to fail the step. */
  duringStep: (plan: StepPlan) => void | Promise<void> = () => {};
  /** May replace a row's choice. */
  alterChoice: (choice: ChunkChoice, row: number, plan: StepPlan) => ChunkChoice | Error = choice => choice;
  /** Candidates that a row gets in one step; a decision that wants more stays open. */
  drawsPerRow = Number.POSITIVE_INFINITY;
  /** Whether it decodes candidates token by token. */
  isPartial = false;
  isClosed = false;
  /** What of the cache can be kept: a chunk is its tokens and whether it was alone. */
  readonly rows: RowMemory;
  /** Chunks that `rows` has copied out. */
  savedChunks = 0;
  readonly #cache: (CachedChunk | undefined)[][];
  #isBusy = false;

  constructor(shape: FakeShape) {
    this.chunkSize = shape.chunkSize;
    this.vocabSize = shape.vocabSize;
    this.contextChunks = shape.contextChunks;
    this.slotCount = shape.slotCount;
    this.#cache = Array.from({ length: shape.slotCount }, () =>
      new Array(shape.contextChunks).fill(undefined),
    );
    this.rows = {
      wordsPerChunk: shape.chunkSize + 1,
      save: (row, position, target) => this.#save(row, position, target),
      restore: (source, row, position, chunks) => this.#restore(source, row, position, chunks),
    };
  }

  async step(plan: StepPlan): Promise<StepOutcome> {
    this.#begin();
    try {
      this.plans.push(plan);
      await this.duringStep(plan);
      for (const { slot, position, tokens } of plan.prefill) {
        const chunks = cut(tokens, this.chunkSize);
        for (const [i, chunk] of chunks.entries())
          this.#write(slot, position + i, chunk, chunks.length === 1);
      }
      const choices = plan.decode.map((row, slot) => {
        this.#write(slot, row.position, row.chunk, false);
        const history = this.#history(slot, row.position + 1);
        const decision =
          row.open instanceof FakeDecision
            ? row.open
            : new FakeDecision(this, history, row.sampling, row.step, this.#contextOf(row, plan));
        const choice = decision.draw(this.drawsPerRow, history);
        return choice ? this.alterChoice(choice, slot, plan) : decision;
      });
      return { choices, timings: { prefillMs: 0, decodeMs: 0, drawMs: 0, nativeCallCount: 1 } };
    } finally {
      this.#isBusy = false;
    }
  }

  async moveSlot(from: number, to: number, chunks: number): Promise<void> {
    this.#begin();
    this.moves.push({ from, to, chunks });
    await Promise.resolve();
    const copied = this.#history(from, chunks);
    this.#cache[to]!.fill(undefined);
    for (const [position, cached] of copied.entries()) this.#cache[to]![position] = cached;
    this.#cache[from]!.fill(undefined);
    this.#isBusy = false;
  }

  close(): void {
    if (this.#isBusy || this.isClosed) throw new Error('closed while busy, or twice');
    this.isClosed = true;
  }

  #save(row: number, position: number, target: Float64Array): void {
    const { wordsPerChunk } = this.rows;
    const kept = this.#history(row, position + target.length / wordsPerChunk).slice(position);
    this.savedChunks += kept.length;
    for (const [i, { tokens, alone }] of kept.entries()) {
      target.set([...tokens, alone ? 1 : 0], i * wordsPerChunk);
    }
  }

  #restore(source: Float64Array, row: number, position: number, chunks: number): void {
    const { wordsPerChunk } = this.rows;
    for (let i = 0; i < chunks; i += 1) {
      const words = [...source.subarray(i * wordsPerChunk, (i + 1) * wordsPerChunk)];
      this.#write(row, position + i, words.slice(0, -1), words.at(-1) === 1);
    }
  }

  #contextOf(row: DecodeRow, plan: StepPlan): DecisionContext {
    return {
      ...(row.given && { given: row.given }),
      ...(this.isPartial && { chunkSize: this.chunkSize }),
      outlook: { sharers: plan.decode.length, expectedDraws: row.expectedDraws },
    };
  }

  #begin(): void {
    if (this.#isBusy || this.isClosed) throw new Error('called while busy, or after close');
    this.#isBusy = true;
  }

  #write(slot: number, position: number, tokens: Chunk, alone: boolean): void {
    const row = this.#cache[slot];
    if (row === undefined || !(position in row))
      throw new Error(`no place for chunk ${position} of slot ${slot}`);
    row[position] = { tokens, alone };
    // What came later in the row belonged to someone else.
    row.fill(undefined, position + 1);
  }

  #history(slot: number, chunks: number): CachedChunk[] {
    return this.#cache[slot]!.slice(0, chunks).map((cached, position) => {
      if (cached === undefined) throw new Error(`slot ${slot} holds nothing at position ${position}`);
      return cached;
    });
  }
}

/** The next chunk after `history`: 16 possible ones, unevenly likely, all of them given by the history's hash. */
export function fakeChoice(
  shape: { readonly chunkSize: number; readonly vocabSize: number },
  history: readonly CachedChunk[],
  sampling: SamplingSettings,
  step: number,
  given: readonly number[] = [],
): ChunkChoice {
  return new FakeDecision(shape, history, sampling, step, { given }).draw(Number.POSITIVE_INFINITY, history)!;
}

/** A decision under way. It remembers its history's hash: to be gone on with on another row's cache is an error. */
class FakeDecision implements OpenDecision {
  readonly kind = 'open';
  readonly #shape: { readonly chunkSize: number; readonly vocabSize: number };
  readonly #hash: number;
  readonly #sampling: SamplingSettings;
  readonly #step: number;
  readonly #decision: ChunkDecision;
  #wish: IteratorResult<Wish, ChunkChoice>;
  /** What the wish was given so far, and all candidates. */
  #given: Chunk[] = [];
  readonly #candidates: Chunk[] = [];

  constructor(
    shape: { readonly chunkSize: number; readonly vocabSize: number },
    history: readonly CachedChunk[],
    sampling: SamplingSettings,
    step: number,
    context: DecisionContext,
  ) {
    this.#shape = shape;
    this.#hash = hashOf(history);
    this.#sampling = sampling;
    this.#step = step;
    this.#decision = startDecision(sampling, step, undefined, context);
    this.#wish = this.#decision.next([]);
  }

  /** Draws at most so many candidates or tokens of them; the choice, or null where it wants more. */
  draw(most: number, history: readonly CachedChunk[]): ChunkChoice | null {
    if (hashOf(history) !== this.#hash) throw new Error('a decision was gone on with after another text');
    for (let i = 0; i < most && !this.#wish.done; i += 1) {
      const wish = this.#wish.value;
      this.#given.push(this.#next(wish));
      if (this.#given.length < sizeOf(wish)) continue;
      const given = this.#given;
      this.#given = [];
      this.#wish = this.#decision.next(given);
    }
    return this.#wish.done ? this.#wish.value : null;
  }

  /** The next part of the wish's answer. */
  #next(wish: Wish): Chunk {
    if (typeof wish === 'number') return this.#candidate();
    if (wish.kind === 'fresh') return [this.#candidate()[wish.position]!];
    const { candidate, position } = wish.tokens[this.#given.length]!;
    return [this.#candidates[candidate]![position]!];
  }

  #candidate(): Chunk {
    const { seed, choice } = this.#sampling;
    const stream = this.#candidates.length;
    const outcome = Math.floor(16 * uniformAt({ seed, choice, step: this.#step, stream }) ** 2);
    const { chunkSize, vocabSize } = this.#shape;
    const chunk = Array.from({ length: chunkSize }, (_, i) => mix(mix(this.#hash, outcome), i) % vocabSize);
    this.#candidates.push(chunk);
    return chunk;
  }
}

function sizeOf(wish: Wish): number {
  if (typeof wish === 'number') return wish;
  return wish.kind === 'fresh' ? wish.count : wish.tokens.length;
}

/** A list of ids as chunks. */
export function cut(tokens: readonly number[], chunkSize: number): Chunk[] {
  if (tokens.length % chunkSize !== 0)
    throw new Error(`${tokens.length} tokens are no whole number of chunks`);
  return Array.from({ length: tokens.length / chunkSize }, (_, i) =>
    tokens.slice(i * chunkSize, (i + 1) * chunkSize),
  );
}

function hashOf(history: readonly CachedChunk[]): number {
  let hash = 17;
  for (const { tokens, alone } of history) {
    hash = mix(hash, alone ? 1 : 0);
    for (const token of tokens) hash = mix(hash, token);
  }
  return hash;
}

function mix(hash: number, value: number): number {
  let mixed = Math.imul(hash ^ (value + 0x9e3779b9), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
