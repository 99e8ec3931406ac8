import { expect, test } from 'vitest';
import { FakeModel, type FakeShape } from '../../tests/reference/fake-model.js';
import { generateNaively } from '../../tests/reference/naive-generator.js';
import { CalmError } from '../errors.js';
import { RandomStream } from '../sampler/uniform.js';
import { Engine } from './engine.js';
import type { ChunkEvent, GenerationRequest } from './request.js';

const BOS = 1;

/** Whole numbers from a seed, so that a failing world can be seen again. */
class Dice {
  readonly #random: RandomStream;

  constructor(seed: number) {
    this.#random = new RandomStream({ seed, choice: 0, step: 0 });
  }

  /** An integer from low to high, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.#random.next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.#random.next() < probability;
  }
}

/** Prompts that begin alike at all alignments, as conversations with one system prompt do; or any prompt. */
function randomPrompt(dice: Dice, shape: FakeShape): number[] {
  const longest = shape.contextChunks * shape.chunkSize;
  const length = dice.chance(0.5) ? dice.between(0, 3 * shape.chunkSize) : dice.between(0, longest);
  const shared = dice.chance(0.6) ? dice.between(0, length) : 0;
  const beginning = dice.between(3, 4);
  return Array.from({ length }, (_, i) =>
    i < shared ? (i * beginning) % shape.vocabSize : dice.between(0, shape.vocabSize - 1),
  );
}

function randomRequest(dice: Dice, shape: FakeShape): GenerationRequest {
  const longest = shape.contextChunks * shape.chunkSize;
  const temperatures = [0, 1 / 3, 0.5, 0.7, 1, 1.5];
  return {
    promptTokens: randomPrompt(dice, shape),
    maxTokens: dice.between(1, longest),
    minTokens: dice.chance(0.5) ? 0 : dice.between(0, 20),
    sampling: {
      temperature: temperatures[dice.between(0, 5)]!,
      temperatureLaw: (['chunk', 'token'] as const)[dice.between(0, 1)]!,
      sampler: (['auto', 'pool'] as const)[dice.between(0, 1)]!,
      numCandidates: dice.between(1, 30),
      seed: dice.between(0, 2 ** 53 - 2),
      choice: dice.between(0, 3),
      ...(dice.chance(0.2) && { controls: { topP: 0.8 } }),
    },
    stopTokenIds: dice.chance(0.3) ? [] : [0, BOS],
  };
}

/** How a reader behaves: reads to the end, leaves after some chunks, or aborts at some step of the engine. */
interface Reader {
  readonly request: GenerationRequest;
  readonly abort: AbortController;
  readonly leaveAfterChunks: number;
  readonly tokens: number[];
  end?: 'stop' | 'length' | 'left' | 'aborted';
  failure?: unknown;
}

async function read(stream: AsyncIterable<ChunkEvent>, reader: Reader): Promise<void> {
  let chunks = 0;
  try {
    for await (const event of stream) {
      reader.tokens.push(...event.tokens);
      chunks += 1;
      if (event.finishReason) reader.end = event.finishReason;
      else if (chunks === reader.leaveAfterChunks) {
        reader.end = 'left';
        break;
      }
    }
  } catch (error) {
    if (!(error instanceof CalmError) || error.code !== 'aborted') reader.failure = error;
    reader.end = 'aborted';
  }
}

/** Runs 40 requests that come, are aborted and are left while steps run; returns what each reader got. */
async function runWorld(seed: number) {
  const dice = new Dice(seed);
  const shape = {
    chunkSize: dice.between(1, 4),
    vocabSize: 60,
    contextChunks: dice.between(4, 30),
    slotCount: dice.between(1, 6),
  };
  const model = new FakeModel(shape);
  // In half of the worlds decisions take several steps, while others go on.
  if (dice.chance(0.5)) model.drawsPerRow = dice.between(1, 20);
  model.isPartial = dice.chance(0.5);
  const engine = new Engine(model, {
    bosTokenId: BOS,
    prefillChunksPerStep: dice.between(3, 9),
    // None, or from one block to more than all prompts need.
    prefixCacheBytes: dice.chance(0.2) ? 0 : 64 * (shape.chunkSize + 1) * 3 ** dice.between(0, 4),
  });
  const readers = Array.from({ length: 40 }, (): Reader => {
    const leaveAfterChunks = dice.chance(0.15) ? dice.between(1, 5) : Number.POSITIVE_INFINITY;
    return {
      request: randomRequest(dice, shape),
      abort: new AbortController(),
      leaveAfterChunks,
      tokens: [],
    };
  });

  const reading: Promise<void>[] = [];
  const submitNext = () => {
    const reader = readers[reading.length];
    if (reader) reading.push(read(engine.submit(reader.request, reader.abort.signal), reader));
  };
  const arrivals = dice.between(1, 9) / 10;
  model.duringStep = async () => {
    while (dice.chance(arrivals)) submitNext();
    if (dice.chance(0.1)) readers[dice.between(0, reading.length - 1)]!.abort.abort();
    await Promise.resolve();
  };
  while (reading.length < readers.length) {
    submitNext();
    await Promise.all(reading);
  }
  await engine.drain();
  return { shape, readers, model, engine };
}

test.each(Array.from({ length: 60 }, (_, seed) => seed))(
  'every text of world %i is what its request would have got alone',
  async seed => {
    const { shape, readers, model, engine } = await runWorld(seed);
    for (const { request, tokens, end, failure } of readers) {
      expect(failure).toBeUndefined();
      const alone = generateNaively(shape, BOS, request);
      if (end === 'stop' || end === 'length') expect({ tokens, finishReason: end }).toEqual(alone);
      else {
        expect(end).toMatch(/left|aborted/);
        expect(tokens).toEqual(alone.tokens.slice(0, tokens.length));
      }
    }
    const stats = engine.stats();
    expect(stats).toMatchObject({ leasedSlots: 0, waiting: 0, running: 0, failedSteps: 0, submitted: 40 });
    // A decision takes 30 candidates at most, each token of them once, and gets its share in every step.
    const mostParts = 30 * (model.isPartial ? shape.chunkSize : 1);
    expect(stats.largestChunkGapSteps).toBeLessThanOrEqual(Math.ceil(mostParts / model.drawsPerRow) || 1);
    expect(stats.finished.error).toBe(0);
    // A request that ended, or was parked while its prompt was prefilled, is the only reason for a copy.
    expect(model.moves.length).toBeLessThanOrEqual(2 * readers.length);
  },
);

test('the worlds above reach every case that they are made for', async () => {
  const ends = new Set<string>();
  const seen = {
    moves: 0,
    parked: 0,
    fullBatches: 0,
    sharedSteps: 0,
    openDecisions: 0,
    openAfterMove: 0,
    reused: 0,
    forgotten: 0,
  };
  for (let seed = 0; seed < 60; seed += 1) {
    const { readers, model, engine } = await runWorld(seed);
    for (const { end } of readers) ends.add(end!);
    seen.moves += model.moves.length;
    const stats = engine.stats();
    seen.openDecisions += stats.openDecisions;
    seen.reused += stats.prefixHitTokens;
    seen.forgotten += model.savedChunks - stats.prefixCacheBytes / (8 * model.rows.wordsPerChunk);
    for (const [index, { prefill, decode }] of model.plans.entries()) {
      const before = model.plans[index - 1]?.decode ?? [];
      const moved = decode.filter(
        (row, slot) => row.open && before.findIndex(other => other.chunk === row.chunk) !== slot,
      );
      seen.openAfterMove += moved.length;
      if (decode.length === model.slotCount) seen.fullBatches += 1;
      if (prefill.length > 1) seen.sharedSteps += 1;
      if (prefill.some(({ slot }) => slot >= decode.length)) seen.parked += 1;
    }
  }
  expect([...ends].sort()).toEqual(['aborted', 'left', 'length', 'stop']);
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(50);
});
