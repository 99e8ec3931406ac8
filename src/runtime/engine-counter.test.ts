/** What the engine refuses, and how many requests may wait. */
import { describe, expect, test, vi } from 'vitest';
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
import type { GenerationRequest } from './request.js';

describe('the counter', () => {
  test('refuses before anything is started, with the field that is at fault', () => {
    const { engine } = startEngine();
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
    const { engine } = startEngine();
    expect(() => engine.check(requestWith({ promptTokens: longPrompt(201) }))).toThrow(
      /402 tokens.* holds 400/,
    );
  });

  test('takes what free slots and the queue have room for, and no more', async () => {
    const { engine } = startEngine({ maxWaiting: 2 });
    expect(() => engine.check(requestWith(), 5)).not.toThrow();
    const full = expect.objectContaining({ code: 'queue_full' });
    expect(() => engine.check(requestWith(), 6)).toThrow(full);
    const streams = [0, 1, 2, 3, 4].map(seed => readAll(engine.submit(requestWith({ seed }))));
    expect(() => engine.submit(requestWith())).toThrow(full);
    await Promise.all(streams);
    expect(() => engine.check(requestWith(), 5)).not.toThrow();
  });

  test('128 choices share three slots and one signal', async () => {
    const { engine } = startEngine();
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
