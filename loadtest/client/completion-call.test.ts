/** One request against servers that behave and servers that do not. */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../clock.js';
import {
  answerWell,
  type Behaviour,
  beginAnswer,
  sendEvent,
  sendJson,
  startFakeServer,
  startStream,
} from '../testing/fake-server.js';
import { makeEndpoint, makeJob } from '../testing/settings.js';
import { callCompletion } from './completion-call.js';

const call = (url: string, timeoutMs = 30_000) => {
  const endpoint = makeEndpoint(url, { timeoutMs });
  return callCompletion(endpoint, makeJob(), systemClock.now(), systemClock).finally(() =>
    endpoint.connections[Symbol.dispose](),
  );
};

describe('callCompletion', () => {
  it('asks for what it will check, and counts tokens and chunks', async () => {
    await using server = await startFakeServer();
    const times = await call(server.url);
    expect(times).toMatchObject({ tokens: 10, chunks: 3, promptTokens: 4 });
    expect(times.gapsMs).toHaveLength(2);
    expect(server.bodies).toEqual([
      {
        model: 'm',
        prompt: 'Once upon a time',
        max_tokens: 10,
        temperature: 1,
        top_p: 1,
        top_k: 0,
        min_p: 0,
        seed: 7,
        ignore_eos: true,
        stream: true,
        stream_options: { include_usage: true, continuous_usage_stats: true },
      },
    ]);
  });

  it.each<[string, Behaviour, string]>([
    [
      'key_refused',
      (_, response) => sendJson(response, 403, { error: { message: 'No.' } }),
      'answered 403: No.',
    ],
    [
      'model_not_found',
      (_, response) =>
        sendJson(response, 404, { error: { message: 'There is no m.', code: 'model_not_found' } }),
      'There is no m.',
    ],
    ['overloaded', (_, response) => sendJson(response, 429, { error: { message: 'Full.' } }), 'Full.'],
    ['refused', (_, response) => void response.writeHead(500).end('<h1>Oh</h1>'), '<h1>Oh</h1>'],
    [
      'dropped',
      (_, response) => {
        beginAnswer(response);
        response.write('data: {"choi', () => response.destroy());
      },
      'in the middle of the answer',
    ],
    [
      'dropped',
      (_, response) => {
        beginAnswer(response);
        response.end();
      },
      'without [DONE]',
    ],
    ['dropped', (_, response) => void response.destroy(), 'without an answer'],
    [
      'malformed',
      (_, response) => {
        beginAnswer(response);
        sendEvent(response, '{"choices": [{"text": ');
      },
      'not JSON',
    ],
    ['malformed', (_, response) => sendJson(response, 200, { choices: [] }), 'not as text/event-stream'],
    ['error_in_stream', (_, response) => sendJson(response, 200, { error: 'Broken.' }), 'Broken.'],
    [
      'error_in_stream',
      (_, response) => {
        beginAnswer(response);
        sendEvent(response, { error: { message: 'Out of memory.' } });
        sendEvent(response, '[DONE]');
        response.end();
      },
      'Out of memory.',
    ],
    [
      'no_usage',
      (_, response) => {
        startStream(response);
        sendEvent(response, { choices: [{ text: 'x', finish_reason: 'length' }] });
        sendEvent(response, '[DONE]');
        response.end();
      },
      'include_usage',
    ],
    [
      'wrong_token_count',
      (body, response, request) => answerWell({ ...body, max_tokens: 6 }, response, request),
      '6',
    ],
  ])('reports %s (%#)', async (code, behave, words) => {
    await using server = await startFakeServer(behave);
    await expect(call(server.url)).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
  });

  it('reports a server that is down', async () => {
    const server = await startFakeServer();
    await server[Symbol.asyncDispose]();
    await expect(call(server.url)).rejects.toMatchObject({ code: 'unreachable' });
  });

  it('reports an answer that never comes, and one that never ends', async () => {
    await using silent = await startFakeServer(() => {});
    await expect(call(silent.url, 40)).rejects.toMatchObject({
      code: 'timed_out',
      message: 'There was no answer within the time limit of 0.04 s (--timeout).',
    });
    await using endless = await startFakeServer((_, response) => beginAnswer(response));
    await expect(call(endless.url, 80)).rejects.toMatchObject({ code: 'timed_out' });
  });

  it('hangs up on a server whose answer is wrong', async () => {
    let hungUp: () => void = () => {};
    const closed = new Promise<void>(resolve => {
      hungUp = resolve;
    });
    await using server = await startFakeServer((_, response) => {
      response.on('close', () => hungUp());
      beginAnswer(response);
      sendEvent(response, 'nonsense');
    });
    const endpoint = makeEndpoint(server.url);
    const result = callCompletion(endpoint, makeJob(), systemClock.now(), systemClock);
    await expect(result).rejects.toMatchObject({ code: 'malformed' });
    await closed;
    endpoint.connections[Symbol.dispose]();
  });

  it('reports bytes that are no HTTP', async () => {
    const server = createServer(socket => void socket.end('SSH-2.0-OpenSSH_9.6\r\n'));
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    await expect(call(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)).rejects.toMatchObject({
      code: 'malformed',
    });
    server.close();
  });

  it('sends a request again whose idle connection was closed under it', async () => {
    let served = 0;
    await using server = await startFakeServer((body, response, request) => {
      served++;
      // The second request finds its kept connection closed; the third attempt comes on a new one.
      if (served === 2) request.socket.resetAndDestroy();
      else answerWell(body, response, request);
    });
    const endpoint = makeEndpoint(server.url);
    for (let round = 0; round < 2; round++) {
      await callCompletion(endpoint, makeJob(), systemClock.now(), systemClock);
      // The connection goes back into the pool after the answer's end.
      await new Promise(resolve => setImmediate(resolve));
    }
    endpoint.connections[Symbol.dispose]();
    expect(served).toBe(3);
  });
});
