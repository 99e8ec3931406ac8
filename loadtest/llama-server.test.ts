/** llama-server as a target: what it sends beside, and instead of, what this project's server sends. */
import { describe, expect, it } from 'vitest';
import { callCompletion } from './client/completion-call.js';
import { systemClock } from './clock.js';
import { runPlan } from './load/run-plan.js';
import { summarize } from './measure/summary.js';
import { type Behaviour, sendEvent, startStream } from './testing/fake-server.js';
import { llamaTexts, naturalTokens, startLlamaServer } from './testing/llama-server.js';
import { makeEndpoint, makeJob, makeSettings, makeTarget } from './testing/settings.js';

async function call(behave?: Behaviour, job = makeJob()) {
  await using server = await startLlamaServer(behave);
  const endpoint = makeEndpoint(server.url);
  try {
    return await callCompletion(endpoint, job, systemClock.now(), systemClock);
  } finally {
    endpoint.connections[Symbol.dispose]();
  }
}

const event = (text: string, rest: object = {}, finishReason: string | null = null) => ({
  choices: [{ text, index: 0, logprobs: null, finish_reason: finishReason }],
  object: 'text_completion',
  ...rest,
});

describe('an answer of llama-server', () => {
  it('has its tokens by usage, though some came with no event and some without text', async () => {
    const times = await call();
    expect(times).toMatchObject({ tokens: 10, promptTokens: 4, draws: null });
    expect(times.chunks).toBe(llamaTexts.filter(Boolean).length);
    expect(times.gapsMs).toHaveLength(times.chunks - 1);
  });

  it('may end by itself where ends are not ignored', async () => {
    await expect(call(undefined, makeJob({ ignoreEos: false }))).resolves.toMatchObject({
      tokens: naturalTokens,
    });
  });

  it('has its tokens by usage where one token came in several events', async () => {
    const spelling: Behaviour = (body, response) => {
      startStream(response);
      for (let token = 0; token < body.max_tokens; token++) {
        sendEvent(response, event(` ${token}`));
        sendEvent(response, event('x'));
      }
      sendEvent(response, event('', { usage: { prompt_tokens: 4, completion_tokens: 10 } }, 'length'));
      sendEvent(response, '[DONE]');
      response.end();
    };
    await expect(call(spelling)).resolves.toMatchObject({ tokens: 10, chunks: 20 });
  });

  it('is wrong where the context ended before max_tokens', async () => {
    const full: Behaviour = (_, response) => {
      startStream(response);
      sendEvent(response, event(' Once'));
      sendEvent(response, event('', { usage: { prompt_tokens: 4, completion_tokens: 1 } }, 'length'));
      sendEvent(response, '[DONE]');
      response.end();
    };
    await expect(call(full)).rejects.toMatchObject({ code: 'wrong_token_count' });
  });

  it('is wrong where it carries an error, in its own words', async () => {
    const failing: Behaviour = (_, response) => {
      startStream(response);
      sendEvent(response, event(' Once'));
      sendEvent(response, { error: { code: 500, message: 'Compute error.', type: 'server_error' } });
      sendEvent(response, '[DONE]');
      response.end();
    };
    await expect(call(failing)).rejects.toMatchObject({
      code: 'error_in_stream',
      message: expect.stringContaining('Compute error.'),
    });
  });
});

it('llama-server is measured under every kind of load, with neutral sampling values', async () => {
  await using server = await startLlamaServer();
  const settings = makeSettings({
    loads: [
      { kind: 'raw', connections: 2 },
      { kind: 'closed', concurrency: 2 },
      { kind: 'open', ratePerSecond: 1000 },
    ],
  });
  const silent = { start: () => {}, point: () => {}, advance: () => {}, note: () => {} };
  const target = makeTarget('llama', server.url, { model: null });
  const { targets, records } = await runPlan([target], settings, systemClock, silent);
  expect(targets).toMatchObject([
    {
      model: 'tiny-q8_0.gguf',
      kind: null,
      chunkSize: null,
      serverVersion: 'llama.cpp b7000-0123abc',
      samplingExtensions: { top_k: 0, min_p: 0 },
      problem: null,
    },
  ]);
  const { rows, rawRows } = summarize(records, null);
  expect(rows).toMatchObject([
    { requests: 8, failed: 0, outputTokens: 10, draws: null },
    { requests: 8, failed: 0, outputTokens: 10, draws: null },
  ]);
  expect(rawRows).toMatchObject([{ requests: 8, failed: 0, failures: [] }]);
  for (const body of server.bodies) expect(body).toMatchObject({ top_p: 1, top_k: 0, ignore_eos: true });
});
