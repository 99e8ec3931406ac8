import { getEventListeners } from 'node:events';
import { describe, expect, test, vi } from 'vitest';
import { FakeModel } from '../../tests/reference/fake-model.js';
import { generateNaively } from '../../tests/reference/naive-generator.js';
import { CalmError } from '../errors.js';
import { Engine, type EngineOptions } from './engine.js';
import type { ChunkEvent, GenerationRequest } from './request.js';

const BOS = 1;
const SHAPE = { chunkSize: 2, vocabSize: 50, contextChunks: 200, slotCount: 3 };

interface Changes extends Partial<Omit<GenerationRequest, 'sampling'>> {
  readonly seed?: number;
  readonly choice?: number;
}

function requestWith({ seed = 0, choice = 0, ...changes }: Changes = {}): GenerationRequest {
  const sampling = { temperature: 1, numCandidates: 20, seed, choice };
  return { promptTokens: [7, 8, 9], maxTokens: 20, minTokens: 0, stopTokenIds: [], sampling, ...changes };
}

function start(options: Partial<EngineOptions> = {}, shape = SHAPE) {
  const model = new FakeModel(shape);
  return { model, engine: new Engine(model, { bosTokenId: BOS, ...options }) };
}

async function readAll(stream: AsyncIterable<ChunkEvent>) {
  const events: ChunkEvent[] = [];
  for await (const event of stream) events.push(event);
  return { events, tokens: events.flatMap(event => event.tokens), finishReason: events.at(-1)?.finishReason };
}

/** A gate in the middle of every step, so that a test can look at an engine whose step is under way. */
function gateSteps(model: FakeModel) {
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

function longPrompt(chunks: number, shape = SHAPE): number[] {
  return Array.from({ length: chunks * shape.chunkSize }, (_, i) => (i === 0 ? BOS : 2 + (i % 40)));
}

const isIdle = { leasedSlots: 0, running: 0, waiting: 0 };

describe('ends of a text', () => {
  test('delivers the naive text, chunk by chunk, and says once why it ended', async () => {
    const { engine } = start();
    const request = requestWith();
    const { events, tokens, finishReason } = await readAll(engine.submit(request));
    expect({ tokens, finishReason }).toEqual(generateNaively(SHAPE, BOS, request));
    expect(events.map(event => event.finishReason)).toEqual([...new Array(9).fill(null), 'length']);
    expect(events.every(event => event.draws === 1 && !event.fallback)).toBe(true);
    expect(engine.stats()).toMatchObject({ ...isIdle, finished: { length: 1 }, generatedTokens: 20 });
  });

  test('cuts the last chunk at max_tokens', async () => {
    const { engine } = start();
    const { events } = await readAll(engine.submit(requestWith({ maxTokens: 5 })));
    expect(events.map(event => event.tokens.length)).toEqual([2, 2, 1]);
  });

  test('cuts a chunk before a stop token, at either place in the chunk', async () => {
    const { engine } = start();
    const { tokens } = await readAll(engine.submit(requestWith()));
    for (const index of [6, 7]) {
      const stop = tokens[index]!;
      expect(tokens.indexOf(stop)).toBe(index);
      const { events } = await readAll(engine.submit(requestWith({ stopTokenIds: [stop] })));
      expect(events.flatMap(event => event.tokens)).toEqual(tokens.slice(0, index));
      expect(events.at(-1)).toMatchObject({ finishReason: 'stop', stopTokenId: stop });
    }
  });

  test('a stop token among the first min_tokens is text like any other', async () => {
    const { engine } = start();
    const { tokens } = await readAll(engine.submit(requestWith()));
    const stop = tokens[6]!;
    const withMinimum = (minTokens: number) =>
      readAll(engine.submit(requestWith({ stopTokenIds: [stop], minTokens })));
    expect((await withMinimum(6)).tokens).toEqual(tokens.slice(0, 6));
    expect((await withMinimum(7)).tokens).toEqual(tokens);
  });

  test('a stop token that comes exactly at max_tokens ends by length', async () => {
    const { engine } = start();
    const { tokens } = await readAll(engine.submit(requestWith()));
    const { events } = await readAll(
      engine.submit(requestWith({ stopTokenIds: [tokens[6]!], maxTokens: 6 })),
    );
    expect(events.at(-1)).toMatchObject({ tokens: tokens.slice(4, 6), finishReason: 'length' });
  });

  test('stops by length where the context is full; its last chunk needs no place in the cache', async () => {
    const { engine } = start();
    const promptTokens = longPrompt(198);
    const { tokens, finishReason } = await readAll(
      engine.submit(requestWith({ promptTokens, maxTokens: 1e6 })),
    );
    expect(finishReason).toBe('length');
    expect(tokens.length).toBe(3 * 2);
  });
});

describe('a prompt that ends inside a chunk', () => {
  const shape = { ...SHAPE, chunkSize: 3 };
  const whole = [7, 8, 9, 10, 11, 12];

  test('under "condition" is gone on with as after the whole chunks, from the tokens that are given', async () => {
    const { engine } = start({}, shape);
    const plain = await readAll(engine.submit(requestWith({ promptTokens: whole, maxTokens: 21 })));
    for (const count of [1, 2]) {
      const promptTokens = [...whole, ...plain.tokens.slice(0, count)];
      const request = requestWith({ promptTokens, promptAlignment: 'condition', maxTokens: 21 - count });
      // The same random numbers: the first candidate is the plain one, which begins as given.
      const { events, tokens, finishReason } = await readAll(engine.submit(request));
      expect(tokens).toEqual(plain.tokens.slice(count));
      expect(events[0]).toMatchObject({ tokens: plain.tokens.slice(count, 3), draws: 1 });
      expect(finishReason).toBe('length');
      const aligned = await readAll(engine.submit({ ...request, promptAlignment: 'bos' }));
      expect(aligned.tokens).not.toEqual(tokens);
    }
  });

  test.each([1, 0.5, 0])(
    'is what it is alone, in any batch and over any steps, at T = %d',
    async temperature => {
      const { model, engine } = start({ prefixCacheBytes: 2 ** 20 }, shape);
      model.drawsPerRow = 7;
      const plain = await readAll(engine.submit(requestWith({ promptTokens: whole })));
      const requests = (['chunk', 'token'] as const).flatMap(temperatureLaw =>
        [1, 2, 3].map(seed => ({
          ...requestWith({
            promptTokens: [...whole, plain.tokens[0]!],
            promptAlignment: 'condition' as const,
          }),
          sampling: { temperature, numCandidates: 30, seed, choice: 0, temperatureLaw },
        })),
      );
      const texts = await Promise.all(requests.map(request => readAll(engine.submit(request))));
      for (const [i, request] of requests.entries()) {
        const { tokens, finishReason } = texts[i]!;
        expect({ tokens, finishReason }).toEqual(generateNaively(shape, BOS, request));
      }
      expect(texts.some(({ events }) => events[0]!.draws > 3)).toBe(true);
    },
  );

  test('takes whole chunks from the prefix cache', async () => {
    const { engine } = start({ prefixCacheBytes: 2 ** 20 }, shape);
    const promptTokens = longPrompt(100, shape);
    const plain = await readAll(engine.submit(requestWith({ promptTokens })));
    const given = [...promptTokens, ...plain.tokens.slice(0, 2)];
    const { events, tokens } = await readAll(
      engine.submit(requestWith({ promptTokens: given, promptAlignment: 'condition', maxTokens: 18 })),
    );
    expect(tokens).toEqual(plain.tokens.slice(2));
    expect(events[0]!.reusedPromptTokens).toBe(96 * 3);
  });

  test('that no candidate goes on with ends with a sentence, and frees its slot', async () => {
    const { engine } = start({}, shape);
    const request = requestWith({ promptTokens: [...whole, BOS], promptAlignment: 'condition' });
    await expect(readAll(engine.submit(request))).rejects.toMatchObject({
      code: 'sampler_limit',
      param: 'prompt_alignment',
      message: expect.stringMatching(/^None of 4096 candidates .* use `prompt_alignment` "bos"\.$/),
    });
    expect(engine.stats()).toMatchObject({ ...isIdle, finished: { error: 1 } });
  });

  test('has a chunk less of the given tokens where the context is full', async () => {
    const { engine } = start({}, shape);
    const plain = await readAll(engine.submit(requestWith({ promptTokens: longPrompt(200, shape) })));
    expect(plain.tokens).toHaveLength(3);
    const promptTokens = [...longPrompt(199, shape)];
    const first = await readAll(engine.submit(requestWith({ promptTokens, maxTokens: 1e6 })));
    expect(first.tokens).toHaveLength(6);
    const conditioned = requestWith({
      promptTokens: [...promptTokens, first.tokens[0]!],
      promptAlignment: 'condition',
      maxTokens: 1e6,
    });
    expect((await readAll(engine.submit(conditioned))).tokens).toEqual(first.tokens.slice(1));
  });
});

describe('ways out', () => {
  const ways = [
    {
      way: 'the signal of a waiting request aborts',
      leave: async (engine: Engine) => {
        const others = [1, 2, 3].map(seed => readAll(engine.submit(requestWith({ seed }))));
        const abort = new AbortController();
        const stream = readAll(engine.submit(requestWith(), abort.signal));
        expect(engine.stats().waiting).toBe(4);
        abort.abort();
        expect(engine.stats().waiting).toBe(3);
        await expect(stream).rejects.toMatchObject({ code: 'aborted' });
        await Promise.all(others);
      },
    },
    {
      way: 'the reader leaves the loop',
      leave: async (engine: Engine) => {
        for await (const _ of engine.submit(requestWith())) break;
      },
    },
    {
      way: 'the engine closes',
      leave: async (engine: Engine) => {
        const streams = [1, 2, 3, 4].map(seed => readAll(engine.submit(requestWith({ seed }))));
        const closed = engine.close();
        for (const stream of streams) await expect(stream).rejects.toMatchObject({ code: 'shutting_down' });
        await closed;
      },
    },
  ];

  test.each(ways)('$way: nothing stays behind', async ({ leave }) => {
    const { engine } = start();
    await leave(engine);
    expect(engine.stats()).toMatchObject(isIdle);
  });

  test.each([
    { where: 'decodes', promptTokens: [7, 8, 9], steps: 2 },
    { where: 'is in the middle of its prompt', promptTokens: longPrompt(150), steps: 1 },
  ])('a request that aborts while it $where frees its slot at once', async ({ promptTokens, steps }) => {
    const { model, engine } = start();
    const gate = gateSteps(model);
    const abort = new AbortController();
    const stream = readAll(engine.submit(requestWith({ promptTokens }), abort.signal));
    for (let step = 0; step < steps; step += 1) {
      await gate.inStep();
      gate.finishStep();
    }
    await gate.inStep();
    const before = engine.stats();
    expect(before.leasedSlots).toBe(1);
    abort.abort();
    const after = engine.stats();
    expect(after).toMatchObject({ ...isIdle, finished: { aborted: 1 } });
    expect(after.steps).toBe(before.steps);
    gate.open();
    await expect(stream).rejects.toMatchObject({ code: 'aborted' });
    await engine.drain();
    const { steps: stepsInAll, generatedChunks } = engine.stats();
    expect(stepsInAll).toBe(before.steps);
    expect(generatedChunks).toBe(before.generatedChunks);
    expect(getEventListeners(abort.signal, 'abort')).toEqual([]);
  });

  test('the next request takes a freed slot in the very next step', async () => {
    const { model, engine } = start({}, { ...SHAPE, slotCount: 1 });
    const gate = gateSteps(model);
    const abort = new AbortController();
    const first = readAll(engine.submit(requestWith(), abort.signal));
    const second = readAll(engine.submit(requestWith({ seed: 1 })));
    await gate.inStep();
    abort.abort();
    gate.finishStep();
    await gate.inStep();
    expect(model.plans[1]!.decode.map(row => row.sampling.seed)).toEqual([1]);
    gate.open();
    await expect(first).rejects.toMatchObject({ code: 'aborted' });
    expect(await second).toMatchObject({ finishReason: 'length' });
  });

  test('an error of one row ends that request alone', async () => {
    const { model, engine } = start();
    model.alterChoice = (choice, row, plan) =>
      plan.decode[row]!.sampling.seed === 1 && plan.decode[row]!.step === 3
        ? new CalmError('sampler_limit', 'Too many draws.')
        : choice;
    const streams = [0, 1, 2].map(seed => readAll(engine.submit(requestWith({ seed }))));
    await expect(streams[1]).rejects.toMatchObject({ code: 'sampler_limit' });
    for (const seed of [0, 2]) {
      expect((await streams[seed]!).tokens).toEqual(
        generateNaively(SHAPE, BOS, requestWith({ seed })).tokens,
      );
    }
    expect(engine.stats()).toMatchObject({ ...isIdle, failedSteps: 0, finished: { error: 1, length: 2 } });
  });

  test('a chunk of the wrong length is an error of its row, without inner words', async () => {
    const { model, engine } = start();
    model.alterChoice = choice => ({ ...choice, chunk: [1, 2, 3] });
    const error: unknown = await readAll(engine.submit(requestWith())).catch(e => e);
    expect(error).toMatchObject({ code: 'internal' });
    expect((error as Error).message).not.toContain('chunk');
  });

  test.each([
    ['throws', () => Promise.reject(new Error('out of memory at 0xdead'))],
    [
      'answers too few rows',
      async () => ({ choices: [], timings: { prefillMs: 0, decodeMs: 0, drawMs: 0, nativeCallCount: 0 } }),
    ],
  ])('a step that %s ends the running requests; the engine goes on with those that wait', async (_, fail) => {
    const { model, engine } = start();
    const running = [0, 1, 2].map(seed => readAll(engine.submit(requestWith({ seed }))));
    const waiting = readAll(engine.submit(requestWith({ seed: 3 })));
    const step = model.step.bind(model);
    let calls = 0;
    model.step = plan => (++calls === 2 ? fail() : step(plan));
    for (const stream of running) {
      const error: unknown = await stream.catch(e => e);
      expect(error).toMatchObject({ code: 'internal' });
      expect((error as Error).message).not.toContain('0xdead');
    }
    expect((await waiting).tokens).toEqual(generateNaively(SHAPE, BOS, requestWith({ seed: 3 })).tokens);
    expect(engine.stats()).toMatchObject({ ...isIdle, failedSteps: 1 });
  });

  test('chunks that were chosen before a failure are delivered before the error', async () => {
    const { model, engine } = start();
    const stream = engine.submit(requestWith());
    model.duringStep = plan => {
      if (plan.decode[0]!.step === 2) throw new Error('gone');
    };
    await engine.drain();
    const received: number[] = [];
    const reading = async () => {
      for await (const { tokens } of stream) received.push(...tokens);
    };
    await expect(reading()).rejects.toThrow(CalmError);
    expect(received.length).toBe(4);
  });

  test('drain lets everything end, takes nothing new, and close closes the model', async () => {
    const { model, engine } = start();
    const streams = [0, 1, 2, 3, 4].map(seed => readAll(engine.submit(requestWith({ seed }))));
    const drained = engine.drain();
    expect(() => engine.submit(requestWith())).toThrow(expect.objectContaining({ code: 'shutting_down' }));
    await drained;
    expect((await Promise.all(streams)).every(text => text.finishReason === 'length')).toBe(true);
    await engine.close();
    expect(model.isClosed).toBe(true);
  });
});

describe('the counter', () => {
  test('refuses before anything is started, with the field that is at fault', () => {
    const { engine } = start();
    const { sampling } = requestWith();
    const cases: [GenerationRequest, string, string][] = [
      [requestWith({ promptTokens: [3, 50] }), 'invalid_request', 'prompt'],
      [requestWith({ promptTokens: [-1] }), 'invalid_request', 'prompt'],
      [requestWith({ promptTokens: [1.5] }), 'invalid_request', 'prompt'],
      [requestWith({ promptTokens: longPrompt(201) }), 'context_length_exceeded', 'prompt'],
      [requestWith({ maxTokens: 0 }), 'invalid_request', 'max_tokens'],
      [requestWith({ maxTokens: Number.NaN }), 'invalid_request', 'max_tokens'],
      [requestWith({ minTokens: -1 }), 'invalid_request', 'min_tokens'],
      [{ ...requestWith(), sampling: { ...sampling, temperature: -1 } }, 'invalid_request', 'temperature'],
      [
        { ...requestWith(), sampling: { ...sampling, temperature: Number.NaN } },
        'invalid_request',
        'temperature',
      ],
      [{ ...requestWith(), sampling: { ...sampling, temperature: 2.01 } }, 'invalid_request', 'temperature'],
      [
        { ...requestWith(), sampling: { ...sampling, numCandidates: 0 } },
        'invalid_request',
        'num_candidates',
      ],
      [
        { ...requestWith(), sampling: { ...sampling, numCandidates: 1e9 } },
        'invalid_request',
        'num_candidates',
      ],
      [
        { ...requestWith(), sampling: { ...sampling, numCandidates: 1.5 } },
        'invalid_request',
        'num_candidates',
      ],
      [{ ...requestWith(), sampling: { ...sampling, seed: -1 } }, 'invalid_request', 'seed'],
    ];
    for (const [request, code, param] of cases) {
      const refusal = expect.objectContaining({ code, param });
      expect(() => engine.check(request)).toThrow(refusal);
      expect(() => engine.submit(request)).toThrow(refusal);
    }
    expect(() => engine.submit(requestWith(), AbortSignal.abort())).toThrow(
      expect.objectContaining({ code: 'aborted' }),
    );
    expect(engine.stats()).toMatchObject({ ...isIdle, submitted: 0 });
  });

  test('names both numbers of a prompt that is too long', () => {
    const { engine } = start();
    expect(() => engine.check(requestWith({ promptTokens: longPrompt(201) }))).toThrow(
      /402 tokens.* holds 400/,
    );
  });

  test('takes what free slots and the queue have room for, and no more', async () => {
    const { engine } = start({ maxWaiting: 2 });
    expect(() => engine.check(requestWith(), 5)).not.toThrow();
    const full = expect.objectContaining({ code: 'queue_full' });
    expect(() => engine.check(requestWith(), 6)).toThrow(full);
    const streams = [0, 1, 2, 3, 4].map(seed => readAll(engine.submit(requestWith({ seed }))));
    expect(() => engine.submit(requestWith())).toThrow(full);
    await Promise.all(streams);
    expect(() => engine.check(requestWith(), 5)).not.toThrow();
  });

  test('128 choices share three slots and one signal', async () => {
    const { engine } = start();
    const { signal } = new AbortController();
    const warned = vi.spyOn(process, 'emitWarning');
    const choices = Array.from({ length: 128 }, (_, choice) => requestWith({ choice }));
    const texts = await Promise.all(choices.map(request => readAll(engine.submit(request, signal))));
    for (const [choice, { tokens }] of texts.entries()) {
      expect(tokens).toEqual(generateNaively(SHAPE, BOS, requestWith({ choice })).tokens);
    }
    expect(new Set(texts.map(text => text.tokens.join())).size).toBe(128);
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
  });
});

describe('a batch that others join and leave', () => {
  test('requests of one turn share the first step', async () => {
    const { model, engine } = start();
    await Promise.all([0, 1, 2].map(seed => readAll(engine.submit(requestWith({ seed })))));
    expect(model.plans[0]!.decode.length).toBe(3);
    expect(engine.stats()).toMatchObject({ steps: 10, largestBatch: 3, slotMoves: 0 });
  });

  test('running texts get a chunk in every step while a prompt as long as the context prefills', async () => {
    const { model, engine } = start({ prefillChunksPerStep: 16 });
    const running = [0, 1].map(seed => readAll(engine.submit(requestWith({ seed, maxTokens: 100 }))));
    const long = readAll(engine.submit(requestWith({ promptTokens: longPrompt(200), maxTokens: 2 })));
    await Promise.all([...running, long]);
    const prefillSteps = model.plans.filter(plan => plan.prefill.some(piece => piece.tokens.length > 4));
    expect(prefillSteps.length).toBe(13);
    expect(prefillSteps.every(plan => plan.decode.length >= 2)).toBe(true);
    expect(engine.stats().largestChunkGapSteps).toBe(1);
  });

  test('prompts are served in order of arrival: short ones that keep coming do not starve a long one', async () => {
    const { model, engine } = start({ prefillChunksPerStep: 10 });
    const prompts = [longPrompt(200), ...new Array(30).fill(longPrompt(9))];
    const order: number[] = [];
    await Promise.all(
      prompts.map(async (promptTokens, seed) => {
        for await (const event of engine.submit(requestWith({ promptTokens, maxTokens: 4, seed }))) {
          if (event.finishReason) order.push(seed);
        }
      }),
    );
    const firstChunkOf = (seed: number) =>
      model.plans.findIndex(plan => plan.decode.some(row => row.sampling.seed === seed));
    expect(firstChunkOf(0)).toBe(19);
    const firsts = prompts.map((_, seed) => firstChunkOf(seed));
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
    expect(order.length).toBe(31);
  });

  test('a request sent in mid-run gets its first token before the others end', async () => {
    const { model, engine } = start();
    const ends: string[] = [];
    const track = async (name: string, stream: AsyncIterable<ChunkEvent>) => {
      let isFirst = true;
      for await (const event of stream) {
        if (isFirst) ends.push(`${name} begins`);
        isFirst = false;
        if (event.finishReason) ends.push(`${name} ends`);
      }
    };
    const late: Promise<void>[] = [];
    model.duringStep = plan => {
      if (plan.decode[0]?.step === 3 && late.length === 0) {
        late.push(track('late', engine.submit(requestWith({ seed: 9, maxTokens: 40 }))));
      }
    };
    await track('early', engine.submit(requestWith()));
    await Promise.all(late);
    expect(ends).toEqual(['early begins', 'late begins', 'early ends', 'late ends']);
  });

  test('times are told by the clock that it was given', async () => {
    let nowMs = 1000;
    const { model, engine } = start({ now: () => nowMs }, { ...SHAPE, slotCount: 1 });
    model.duringStep = () => {
      nowMs += 10;
    };
    const [first, second] = [requestWith({ maxTokens: 4 }), requestWith({ maxTokens: 2, seed: 1 })].map(
      request => readAll(engine.submit(request)),
    );
    expect((await first)!.events.map(event => event.timing)).toEqual([
      { queuedMs: 0, firstChunkMs: 10, elapsedMs: 10 },
      { queuedMs: 0, firstChunkMs: 10, elapsedMs: 20 },
    ]);
    expect((await second)!.events[0]!.timing).toEqual({ queuedMs: 20, firstChunkMs: 30, elapsedMs: 30 });
    expect(engine.stats()).toMatchObject({ stepMs: 30, modelMs: 30 });
  });
});
