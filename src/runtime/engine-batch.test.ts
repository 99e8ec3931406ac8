/** Texts that share the batch: who joins it, in which order, and at which pace. */
import { describe, expect, test } from 'vitest';
import { longPrompt, readAll, requestWith, SHAPE, startEngine } from '../../tests/reference/start-engine.js';
import type { ChunkEvent } from './request.js';

describe('a batch that others join and leave', () => {
  test('requests of one turn share the first step', async () => {
    const { model, engine } = startEngine();
    await Promise.all([0, 1, 2].map(seed => readAll(engine.submit(requestWith({ seed })))));
    expect(model.plans[0]!.decode.length).toBe(3);
    expect(engine.stats()).toMatchObject({ steps: 10, largestBatch: 3, slotMoves: 0 });
  });

  test('running texts get a chunk in every step while a prompt as long as the context prefills', async () => {
    const { model, engine } = startEngine({ prefillChunksPerStep: 16 });
    const running = [0, 1].map(seed => readAll(engine.submit(requestWith({ seed, maxTokens: 100 }))));
    const long = readAll(engine.submit(requestWith({ promptTokens: longPrompt(200), maxTokens: 2 })));
    await Promise.all([...running, long]);
    const prefillSteps = model.plans.filter(plan => plan.prefill.some(piece => piece.tokens.length > 4));
    expect(prefillSteps.length).toBe(13);
    expect(prefillSteps.every(plan => plan.decode.length >= 2)).toBe(true);
    expect(engine.stats().largestChunkGapSteps).toBe(1);
  });

  test('prompts are served in order of arrival: short ones that keep coming do not starve a long one', async () => {
    const { model, engine } = startEngine({ prefillChunksPerStep: 10 });
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
    const { model, engine } = startEngine();
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
    const { model, engine } = startEngine({ now: () => nowMs }, { ...SHAPE, slotCount: 1 });
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
