/** Every way out of the engine gives its slot back: limits, refusals, failures, callers who leave, the end of the engine. */
import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { generateNaively } from '../../tests/reference/naive-generator.js';
import {
  BOS,
  gateSteps,
  isIdle,
  longPrompt,
  readAll,
  requestWith,
  SHAPE,
  startEngine,
} from '../../tests/reference/start-engine.js';
import { CalmError } from '../errors.js';
import type { Engine } from './engine.js';

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
    const { engine } = startEngine();
    await leave(engine);
    expect(engine.stats()).toMatchObject(isIdle);
  });

  test.each([
    { where: 'decodes', promptTokens: [7, 8, 9], steps: 2 },
    { where: 'is in the middle of its prompt', promptTokens: longPrompt(150), steps: 1 },
  ])('a request that aborts while it $where frees its slot at once', async ({ promptTokens, steps }) => {
    const { model, engine } = startEngine();
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
    const { model, engine } = startEngine({}, { ...SHAPE, slotCount: 1 });
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
    const { model, engine } = startEngine();
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
    const { model, engine } = startEngine();
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
    const { model, engine } = startEngine();
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
    const { model, engine } = startEngine();
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
    const { model, engine } = startEngine();
    const streams = [0, 1, 2, 3, 4].map(seed => readAll(engine.submit(requestWith({ seed }))));
    const drained = engine.drain();
    expect(() => engine.submit(requestWith())).toThrow(expect.objectContaining({ code: 'shutting_down' }));
    await drained;
    expect((await Promise.all(streams)).every(text => text.finishReason === 'length')).toBe(true);
    await engine.close();
    expect(model.isClosed).toBe(true);
  });
});
