import { describe, expect, it } from 'vitest';
import type { ChunkEvent, GenerationRequest } from '../../runtime/request.js';
import type { ServedModel } from '../models/served-model.js';
import { startCompletion } from './completion-run.js';
import type { Generation } from './generation.js';

const generation: Generation = {
  prompts: [{ tokens: [1], seed: 7, echoText: '' }],
  promptAlignment: 'bos',
  choiceCount: 3,
  candidateCount: 3,
  maxTokens: 8,
  minTokens: 0,
  temperature: 1,
  numCandidates: 1,
  greedyError: 0,
  sampler: 'auto',
  temperatureLaw: 'chunk',
  chunkStatistics: false,
  controls: undefined,
  logprobs: null,
  hasPromptLogprobs: false,
  stopTokenIds: [],
  stopStrings: [],
  includeStopString: false,
  granularity: 'chunk',
  chunkSize: 4,
};

/** A model whose choices do what the test says, and that remembers the signals it was given. */
function modelOf(run: (request: GenerationRequest) => AsyncIterable<ChunkEvent>) {
  const signals: AbortSignal[] = [];
  const engine = {
    check: () => {},
    submit: (request: GenerationRequest, signal?: AbortSignal) => {
      signals.push(signal as AbortSignal);
      return run(request);
    },
  };
  return { model: { encoding: null, engine } as unknown as ServedModel, signals };
}

/** Chunks whose every turn is the given one. */
const chunksOf = (next: () => Promise<IteratorResult<ChunkEvent>>): AsyncIterable<ChunkEvent> => ({
  [Symbol.asyncIterator]: () => ({ next }),
});
const never = () => chunksOf(() => new Promise(() => {}));
const failing = (message: string) => chunksOf(() => Promise.reject(new Error(message)));
const silent = () => chunksOf(() => Promise.resolve({ done: true, value: undefined }));

describe('startCompletion', () => {
  it('ends the other choices at once where one fails', async () => {
    const { model, signals } = modelOf(({ sampling }) =>
      sampling.choice === 1 ? failing('row 1 failed') : never(),
    );
    const read = async () => {
      for await (const _ of startCompletion(model, generation, new AbortController()));
    };
    await expect(read()).rejects.toThrow('row 1 failed');
    expect(signals.map(signal => signal.aborted)).toEqual([true, true, true]);
  });

  it('ends those that it has submitted where a later one is refused', () => {
    const { model, signals } = modelOf(({ sampling }) => {
      if (sampling.choice === 2) throw new Error('refused');
      return never();
    });
    expect(() => startCompletion(model, generation, new AbortController())).toThrow('refused');
    expect(signals.map(signal => signal.aborted)).toEqual([true, true, true]);
  });

  it('tells choices apart by their number and gives all of a prompt its seed', () => {
    const seen: unknown[] = [];
    const { model } = modelOf(({ sampling }) => {
      seen.push([sampling.seed, sampling.choice]);
      return never();
    });
    startCompletion(model, generation, new AbortController());
    expect(seen).toEqual([
      [7, 0],
      [7, 1],
      [7, 2],
    ]);
  });

  it('does not take an engine that falls silent for a completion', async () => {
    const { model } = modelOf(silent);
    const read = async () => {
      for await (const _ of startCompletion(model, generation, new AbortController()));
    };
    await expect(read()).rejects.toMatchObject({ code: 'internal' });
  });
});
