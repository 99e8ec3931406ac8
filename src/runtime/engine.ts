/**
 * The engine: requests in, chunks of token ids out, all of them decoded in one batch. It knows no text, no HTTP and
 * no tensors. A step is schedule -> run -> settle; the loop around it rests while there is nothing to do.
 */
import { CalmError } from '../errors.js';
import { checkRequest, checkRoom } from './admission.js';
import { EngineMetrics, type EngineStats } from './engine-metrics.js';
import { type Ending, Generation } from './generation.js';
import type { LanguageModel } from './model.js';
import { PrefixReuse } from './prefix-cache-requests.js';
import { type AlignedPrompt, alignPrompt, type PromptShape } from './prompt.js';
import type { ChunkEvent, GenerationRequest } from './request.js';
import { type SchedulePlan, type ScheduleState, SMALLEST_BUDGET, schedule } from './scheduler.js';
import { SlotTable } from './slots.js';
import { failureFor, type RunOutcome, runPlan } from './step-plan.js';

export interface EngineOptions {
  /** Starts a document; fills the front of a prompt up to a chunk border. */
  readonly bosTokenId: number;
  /** Requests that may wait beyond those that free slots take; more are refused. Default 512. */
  readonly maxWaiting?: number;
  /** Chunks of prompts prefilled between two decode steps, at least 3. Default 64. */
  readonly prefillChunksPerStep?: number;
  /** Memory for beginnings of prompts that are kept for later ones. Default 0: none. */
  readonly prefixCacheBytes?: number;
  /** The clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

export class Engine {
  readonly #model: LanguageModel;
  readonly #options: Required<EngineOptions>;
  readonly #promptShape: PromptShape;
  readonly #slots: SlotTable;
  /** Null where no beginnings of prompts are kept. */
  readonly #prefixes: PrefixReuse<Generation> | null;
  readonly #metrics = new EngineMetrics();
  /** In order of arrival. */
  readonly #waiting = new Set<Generation>();
  readonly #running = new Set<Generation>();
  #loop: Promise<void> | undefined;
  #isDraining = false;

  /** Takes the model over: `close` closes it. */
  constructor(model: LanguageModel, options: EngineOptions) {
    const defaults = {
      maxWaiting: 512,
      prefixCacheBytes: 0,
      prefillChunksPerStep: 64,
      now: () => performance.now(),
    };
    this.#options = { ...defaults, ...options };
    if (this.#options.prefillChunksPerStep < SMALLEST_BUDGET) {
      throw new CalmError('bad_usage', `prefillChunksPerStep must be at least ${SMALLEST_BUDGET}.`);
    }
    this.#model = model;
    const { chunkSize, vocabSize, contextChunks } = model;
    this.#promptShape = { chunkSize, vocabSize, contextChunks, bosTokenId: options.bosTokenId };
    this.#slots = new SlotTable(model.slotCount);
    this.#prefixes = PrefixReuse.open(model, this.#options.prefixCacheBytes);
  }

  /** Throws the error with which `submit` would refuse `choices` requests like this one; starts nothing. */
  check(request: GenerationRequest, choices = 1): void {
    this.#admit(request, choices);
  }

  /**
   * Starts generating; throws at once where the request is refused. Errors that the iterator throws are this
   * request's own. Leaving the loop over it, or aborting the signal, ends the request and frees its slot.
   */
  submit(request: GenerationRequest, signal?: AbortSignal): AsyncIterable<ChunkEvent> {
    const prompt = this.#admit(request, 1);
    const { chunkSize, contextChunks } = this.#model;
    const onLeave = () => this.#finish(generation, { kind: 'aborted' });
    const generation = new Generation(
      { request, prompt, chunkSize, contextChunks, submittedMs: this.#options.now(), onLeave },
      signal,
    );
    this.#metrics.requestSubmitted();
    this.#waiting.add(generation);
    this.#loop ??= this.#run();
    return generation.stream;
  }

  /** How the engine stands, and its counters. */
  stats(): EngineStats {
    return this.#metrics.snapshot({
      slotCount: this.#slots.slotCount,
      leasedSlots: this.#slots.leasedCount,
      waiting: this.#waiting.size,
      running: this.#running.size,
      prefixCacheBytes: this.#prefixes?.bytes ?? 0,
    });
  }

  /** Takes no more requests and resolves when those it has are done. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    await this.#loop;
  }

  /** Ends all requests with `shutting_down`, waits for the step that runs, and closes the model. */
  async close(): Promise<void> {
    for (const generation of [...this.#waiting, ...this.#running]) {
      this.#finish(generation, { kind: 'error', error: shuttingDown() });
    }
    await this.drain();
    this.#model.close();
  }

  /** Checks a request; returns its prompt on chunk borders. */
  #admit(request: GenerationRequest, choices: number): AlignedPrompt {
    if (this.#isDraining) throw shuttingDown();
    checkRequest(request);
    const prompt = alignPrompt(request.promptTokens, this.#promptShape, request.promptAlignment);
    const freeSlots = this.#slots.slotCount - this.#slots.leasedCount;
    checkRoom(choices, { waiting: this.#waiting.size, freeSlots, maxWaiting: this.#options.maxWaiting });
    return prompt;
  }

  /** Works until nothing is left to do. Requests submitted in the same turn share the first step. */
  async #run(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.size + this.#running.size > 0) {
      const startedMs = this.#options.now();
      await this.#step().catch(error => this.#fail(error));
      this.#metrics.stepDone(this.#options.now() - startedMs);
    }
    this.#loop = undefined;
    this.#slots.assertNoLeaks();
  }

  async #step(): Promise<void> {
    const plan = schedule(this.#state(), this.#options);
    this.#occupy(plan);
    const outcome = await runPlan(this.#model, plan, this.#options.now, () => {
      this.#prefixes?.restore(plan.admitted);
    });
    this.#settle(plan, outcome);
  }

  #state(): ScheduleState<Generation> {
    const running = [...this.#running].map(item => ({ item, row: item.lease.row }));
    const waiting = this.#prefixes?.match(this.#waiting) ?? this.#waiting;
    return { waiting, running, slotCount: this.#slots.slotCount };
  }

  /** Gives every request of the plan the row that it has there. */
  #occupy(plan: SchedulePlan<Generation>): void {
    for (const { item, to } of plan.moves) this.#slots.move(item.lease, to);
    for (const { item, row } of plan.admitted) {
      item.start(this.#slots.lease(row), this.#options.now());
      this.#waiting.delete(item);
      this.#running.add(item);
      if (this.#prefixes) this.#metrics.prefixLookedUp(item.request.promptTokens.length, item.reusedTokens);
    }
    this.#metrics.stepPlanned(plan);
  }

  /** Books what the step has done. A request that ended while it ran is passed over. */
  #settle(plan: SchedulePlan<Generation>, outcome: RunOutcome): void {
    this.#metrics.modelReturned(outcome);
    for (const [index, { item, chunkCount }] of plan.prefill.entries()) {
      item.cachedChunks += chunkCount;
      item.scored(outcome.scores?.[index] ?? []);
    }
    this.#prefixes?.store(plan.prefill);
    const nowMs = this.#options.now();
    for (const [row, generation] of plan.decode.entries()) {
      if (generation.status.kind === 'finished') continue;
      const choice = outcome.choices[row]!;
      if (choice instanceof Error) {
        this.#finish(generation, { kind: 'error', error: failureFor(choice) });
        continue;
      }
      if ('kind' in choice) {
        generation.openDecision = choice;
        this.#metrics.decisionLeftOpen();
        continue;
      }
      const event = generation.accept(choice, nowMs);
      this.#metrics.chunkChosen(event, generation);
      if (event.finishReason) this.#finish(generation, { kind: event.finishReason });
    }
  }

  /** A step failed: nothing can be said of the rows it ran on, or no request can ever start. */
  #fail(error: unknown): void {
    this.#metrics.stepFailed();
    const concerned = this.#running.size > 0 ? this.#running : this.#waiting;
    for (const generation of [...concerned])
      this.#finish(generation, { kind: 'error', error: failureFor(error) });
  }

  /** The one door out: whatever ends a request comes here, once or more often. */
  #finish(generation: Generation, ending: Ending): void {
    if (!generation.finish(ending)) return;
    this.#waiting.delete(generation);
    this.#running.delete(generation);
    this.#metrics.requestFinished(ending);
  }
}

function shuttingDown(): CalmError {
  return new CalmError('shutting_down', 'The server is shutting down and takes no more requests.');
}
