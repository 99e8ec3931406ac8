/** An engine over a fake model, and requests for it. */
import { Engine, type EngineOptions } from '../../src/runtime/engine.js';
import type { ChunkEvent, GenerationRequest } from '../../src/runtime/request.js';
import { FakeModel } from './fake-model.js';

/** Token that the engine puts in front of prompts. */
export const BOS = 1;
/** A small model: 3 slots of 400 tokens. */
export const SHAPE = { chunkSize: 2, vocabSize: 50, contextChunks: 200, slotCount: 3 };

interface Changes extends Partial<Omit<GenerationRequest, 'sampling'>> {
  readonly seed?: number;
  readonly choice?: number;
}

/** A request for 20 tokens after a prompt of 3, but for the changes. */
export function requestWith({ seed = 0, choice = 0, ...changes }: Changes = {}): GenerationRequest {
  const sampling = { temperature: 1, numCandidates: 20, seed, choice };
  return { promptTokens: [7, 8, 9], maxTokens: 20, minTokens: 0, stopTokenIds: [], sampling, ...changes };
}

/** An engine over a fake model. */
export function startEngine(options: Partial<EngineOptions> = {}, shape = SHAPE) {
  const model = new FakeModel(shape);
  return { model, engine: new Engine(model, { bosTokenId: BOS, ...options }) };
}

/** Reads a text to its end. */
export async function readAll(stream: AsyncIterable<ChunkEvent>) {
  const events: ChunkEvent[] = [];
  for await (const event of stream) events.push(event);
  return { events, tokens: events.flatMap(event => event.tokens), finishReason: events.at(-1)?.finishReason };
}

/** A gate in the middle of every step, so that a test can look at an engine whose step is under way. */
export function gateSteps(model: FakeModel) {
  let entered: (() => void) | undefined;
  let leave: (() => void) | undefined;
  model.duringStep = () =>
    new Promise(resolve => {
      leave = resolve;
      entered?.();
    });
  return {
    /** Waits until the model is inside of a step. */
    inStep: () => (leave ? Promise.resolve() : new Promise<void>(resolve => (entered = resolve))),
    finishStep: () => {
      const resolve = leave!;
      leave = undefined;
      resolve();
    },
    open: () => {
      model.duringStep = () => {};
      leave?.();
    },
  };
}

/** A prompt of whole chunks, its BOS included. */
export function longPrompt(chunks: number, shape = SHAPE): number[] {
  return Array.from({ length: chunks * shape.chunkSize }, (_, i) => (i === 0 ? BOS : 2 + (i % 40)));
}

/** What the stats say of an engine that nobody uses. */
export const isIdle = { leasedSlots: 0, running: 0, waiting: 0 };
