/** What a text is and how it ends, in an engine over a fake model. */
import { describe, expect, test } from 'vitest';
import { generateNaively } from '../../tests/reference/naive-generator.js';
import {
  BOS,
  isIdle,
  longPrompt,
  readAll,
  requestWith,
  SHAPE,
  startEngine,
} from '../../tests/reference/start-engine.js';

describe('ends of a text', () => {
  test('delivers the naive text, chunk by chunk, and says once why it ended', async () => {
    const { engine } = startEngine();
    const request = requestWith();
    const { events, tokens, finishReason } = await readAll(engine.submit(request));
    expect({ tokens, finishReason }).toEqual(generateNaively(SHAPE, BOS, request));
    expect(events.map(event => event.finishReason)).toEqual([...new Array(9).fill(null), 'length']);
    expect(events.every(event => event.draws === 1 && !event.fallback)).toBe(true);
    expect(engine.stats()).toMatchObject({ ...isIdle, finished: { length: 1 }, generatedTokens: 20 });
  });

  test('cuts the last chunk at max_tokens', async () => {
    const { engine } = startEngine();
    const { events } = await readAll(engine.submit(requestWith({ maxTokens: 5 })));
    expect(events.map(event => event.tokens.length)).toEqual([2, 2, 1]);
  });

  test('cuts a chunk before a stop token, at either place in the chunk', async () => {
    const { engine } = startEngine();
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
    const { engine } = startEngine();
    const { tokens } = await readAll(engine.submit(requestWith()));
    const stop = tokens[6]!;
    const withMinimum = (minTokens: number) =>
      readAll(engine.submit(requestWith({ stopTokenIds: [stop], minTokens })));
    expect((await withMinimum(6)).tokens).toEqual(tokens.slice(0, 6));
    expect((await withMinimum(7)).tokens).toEqual(tokens);
  });

  test('a stop token that comes exactly at max_tokens ends by length', async () => {
    const { engine } = startEngine();
    const { tokens } = await readAll(engine.submit(requestWith()));
    const { events } = await readAll(
      engine.submit(requestWith({ stopTokenIds: [tokens[6]!], maxTokens: 6 })),
    );
    expect(events.at(-1)).toMatchObject({ tokens: tokens.slice(4, 6), finishReason: 'length' });
  });

  test('stops by length where the context is full; its last chunk needs no place in the cache', async () => {
    const { engine } = startEngine();
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
    const { engine } = startEngine({}, shape);
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
      const { model, engine } = startEngine({ prefixCacheBytes: 2 ** 20 }, shape);
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
    const { engine } = startEngine({ prefixCacheBytes: 2 ** 20 }, shape);
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
    const { engine } = startEngine({}, shape);
    const request = requestWith({ promptTokens: [...whole, BOS], promptAlignment: 'condition' });
    await expect(readAll(engine.submit(request))).rejects.toMatchObject({
      code: 'sampler_limit',
      param: 'prompt_alignment',
      message: expect.stringMatching(/^None of 4096 candidates .* use `prompt_alignment` "bos"\.$/),
    });
    expect(engine.stats()).toMatchObject({ ...isIdle, finished: { error: 1 } });
  });

  test('has a chunk less of the given tokens where the context is full', async () => {
    const { engine } = startEngine({}, shape);
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
