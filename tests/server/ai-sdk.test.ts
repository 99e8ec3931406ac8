/** The Vercel AI SDK, whose own schemas check every answer and every event of a stream. */
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, streamText } from 'ai';
import { describe, expect, it } from 'vitest';
import { eosTokenId } from './fake-model.js';
import { type FakeServer, startFakeServer } from './start-server.js';
import { until } from './until.js';

const text = 'It flew över the hills.';
const script = [...Buffer.from(text), eosTokenId, 0, 0, 0];
const reciting = () => startFakeServer({ scripts: new Map([[1, script]]) });

const provider = (server: FakeServer) =>
  createOpenAICompatible({ name: 'calm', baseURL: `${server.url}/v1`, includeUsage: true });
const ask = { prompt: 'The Red Kite', seed: 1, maxRetries: 0, maxOutputTokens: 100 };

describe.each(['chatModel', 'completionModel'] as const)('the AI SDK, %s', kind => {
  it('reads a whole answer', async () => {
    await using server = await reciting();
    const answer = await generateText({ ...ask, model: provider(server)[kind]('fake') });
    expect(answer.text).toBe(text);
    expect(answer.finishReason).toBe('stop');
    expect(answer.usage).toMatchObject({ outputTokens: script.length - 4 });
    expect(answer.usage.inputTokens).toBeGreaterThan(0);
  });

  it('reads a stream, its reason and its usage', async () => {
    await using server = await reciting();
    const errors: unknown[] = [];
    const answer = streamText({
      ...ask,
      model: provider(server)[kind]('fake'),
      onError: ({ error }) => {
        errors.push(error);
      },
    });
    const parts: string[] = [];
    for await (const part of answer.textStream) parts.push(part);
    expect(errors).toEqual([]);
    expect(parts.join('')).toBe(text);
    expect(parts.length).toBeGreaterThan(3);
    expect(await answer.finishReason).toBe('stop');
    expect(await answer.usage).toMatchObject({ outputTokens: script.length - 4 });
  });

  it('stops a stream', async () => {
    await using server = await startFakeServer({ contextChunks: 20_000, served: { endTokenIds: [] } });
    const leaving = new AbortController();
    const answer = streamText({
      ...ask,
      seed: 2,
      maxOutputTokens: 60_000,
      model: provider(server)[kind]('fake'),
      abortSignal: leaving.signal,
    });
    for await (const _ of answer.textStream) leaving.abort();
    await until(() => server.engine.stats().finished.aborted === 1);
    expect(server.engine.stats().leasedSlots).toBe(0);
  });

  it('understands errors', async () => {
    await using server = await reciting();
    const failure = await generateText({ ...ask, model: provider(server)[kind]('gpt-4') }).catch(
      error => error,
    );
    expect(APICallError.isInstance(failure)).toBe(true);
    expect(failure).toMatchObject({ statusCode: 404, message: expect.stringContaining('Served: "fake"') });
  });
});
