/**
 * A language model without weights. Its next chunk depends on the request's seed, choice and step and on the last
 * chunk, and on nothing else in the batch; or, for seeds that have a script, it recites that script.
 */

import type { DecodeRow, LanguageModel, StepOutcome, StepPlan } from '../../src/runtime/model.js';
import type { ChunkChoice } from '../../src/sampler/decision.js';

export const bosTokenId = 256;
export const eosTokenId = 257;

export interface FakeModelOptions {
  readonly slotCount: number;
  readonly contextChunks: number;
  /** Token ids that a request of this seed gets, chunk by chunk; what follows is made up. */
  readonly scripts?: ReadonlyMap<number, readonly number[]>;
}

const letters = 'etaoin shrdlu cmfwyp vbgkjqxz.';

export class FakeModel implements LanguageModel {
  readonly chunkSize = 4;
  readonly vocabSize = 258;
  readonly contextChunks: number;
  readonly slotCount: number;
  /** Rejects the next step with this error. */
  nextFailure: Error | undefined;
  readonly #scripts: ReadonlyMap<number, readonly number[]>;
  #gate: Promise<void> | undefined;
  #openGate = (): void => {};

  constructor(options: FakeModelOptions) {
    this.slotCount = options.slotCount;
    this.contextChunks = options.contextChunks;
    this.#scripts = options.scripts ?? new Map();
  }

  /** Makes every step wait until `resume`. */
  pause(): void {
    this.#gate ??= new Promise(resolve => {
      this.#openGate = resolve;
    });
  }

  /** Lets steps run again, freely. */
  resume(): void {
    this.#gate = undefined;
    this.#openGate();
  }

  async step(plan: StepPlan): Promise<StepOutcome> {
    await this.#gate;
    // A turn of the event loop, as a native call takes at least one: sockets are served between steps.
    await new Promise(resolve => setImmediate(resolve));
    const failure = this.nextFailure;
    this.nextFailure = undefined;
    if (failure) throw failure;
    return {
      choices: plan.decode.map(row => this.#choose(row)),
      timings: { prefillMs: 0, decodeMs: 0, drawMs: 0, nativeCallCount: 1 },
    };
  }

  moveSlot(): void {}

  close(): void {}

  #choose({ sampling, step, chunk }: DecodeRow): ChunkChoice {
    const script = this.#scripts.get(sampling.seed) ?? [];
    const start = step * this.chunkSize;
    const tokens = Array.from({ length: this.chunkSize }, (_, i) => {
      const scripted = script[start + i];
      if (scripted !== undefined) return scripted;
      return inventLetter([sampling.seed, sampling.choice, sampling.temperature, step, i, ...chunk]);
    });
    return { chunk: tokens, draws: 1, fallback: false };
  }
}

/** FNV-1a over the numbers, as an index into the letters. */
function inventLetter(key: readonly number[]): number {
  const hash = key.reduce((sum, value) => Math.imul(sum ^ (value * 1000), 0x01000193) >>> 0, 0x811c9dc5);
  return letters.charCodeAt((hash >>> 7) % letters.length);
}
