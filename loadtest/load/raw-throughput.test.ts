import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { CompletionJob } from '../client/completion-call.js';
import { systemClock } from '../clock.js';
import { countFailures } from '../measure/records.js';
import { answerWell, type Behaviour, sendJson, startFakeServer } from '../testing/fake-server.js';
import { makeEndpoint, makeJob } from '../testing/settings.js';
import { measureRawThroughput } from './raw-throughput.js';

interface MeasureOptions {
  readonly changes?: Partial<CompletionJob>;
  readonly connections?: number;
  readonly timeoutMs?: number;
}

async function measure(
  behave: Behaviour,
  { changes = {}, connections = 2, timeoutMs = 30_000 }: MeasureOptions = {},
) {
  await using server = await startFakeServer(behave);
  const job = (seed: number) => makeJob({ seed, maxTokens: 3, ...changes });
  const jobs = [job(1), job(2), job(3), job(4), job(5), job(6)] as const;
  const endpoint = makeEndpoint(server.url, { timeoutMs });
  const run = await measureRawThroughput(endpoint, jobs, connections, systemClock);
  return { run, failures: countFailures(run.failures), bodies: server.bodies };
}

/** Behaves badly once, at the request of this number, and well else. */
function onceAt(number: number, behave: Behaviour): Behaviour {
  let served = 0;
  return (body, response, request) => (++served === number ? behave : answerWell)(body, response, request);
}

function sendAnswer(response: ServerResponse, changes: object): void {
  const choice = { index: 0, text: ' a b c', finish_reason: 'length', ...changes };
  sendJson(response, 200, { choices: [choice], usage: { prompt_tokens: 4, completion_tokens: 3 } });
}

describe('measureRawThroughput', () => {
  it('sends as many requests as there are jobs, not all connections the same ones', async () => {
    const { run, bodies } = await measure(answerWell);
    expect(run).toMatchObject({ requests: 6, failures: [] });
    expect(run.tokensPerSecond / run.requestsPerSecond).toBeCloseTo(3, 6);
    expect(bodies).toHaveLength(6);
    expect(bodies.every(({ stream }) => stream === undefined)).toBe(true);
    expect(new Set(bodies.map(({ seed }) => seed)).size).toBeGreaterThan(3);
  });

  it.each<[string, Behaviour, string]>([
    ['refused', (_, response) => sendJson(response, 500, { error: { message: 'No.' } }), '500: No.'],
    ['key_refused', (_, response) => sendJson(response, 401, { error: 'Who?' }), 'Who?'],
    ['malformed', (_, response) => void response.end('not JSON'), 'The answer is not JSON'],
    ['malformed', (_, response) => sendJson(response, 200, { usage: {} }), 'no completion'],
    ['malformed', (_, response) => sendJson(response, 200, { choices: [] }), 'no choice'],
    ['error_in_stream', (_, response) => sendJson(response, 200, { error: 'Broken.' }), 'Broken.'],
    ['no_usage', (_, response) => sendJson(response, 200, { choices: [{ text: 'a' }] }), '`usage`'],
    [
      'wrong_token_count',
      (body, response, request) => answerWell({ ...body, max_tokens: 2 }, response, request),
      '2 tokens',
    ],
    ['wrong_finish_reason', (_, response) => sendAnswer(response, { finish_reason: 'stop' }), '"stop"'],
    ['wrong_finish_reason', (_, response) => sendAnswer(response, { finish_reason: null }), 'null'],
    ['repetition_loop', (_, response) => sendAnswer(response, { text: 'on and on '.repeat(20) }), 'loop'],
    ['dropped', (_, response) => void response.destroy(), 'closed the connection without an answer'],
  ])('counts an answer that is %s as failed and says why (%#)', async (code, behave, words) => {
    const { run, failures } = await measure(onceAt(3, behave));
    expect(run.requests).toBe(6);
    expect(failures).toEqual([{ code, count: 1, example: expect.stringContaining(words) }]);
  });

  it('lets loops pass where they are allowed', async () => {
    const loop: Behaviour = (_, response) => sendAnswer(response, { text: 'on and on '.repeat(20) });
    const { failures } = await measure(loop, { changes: { allowLoops: true } });
    expect(failures).toEqual([]);
  });

  it('ends where a server answers nothing at all', async () => {
    const { run, failures } = await measure((_, response) => void response.destroy());
    expect(run).toMatchObject({ requests: 6, requestsPerSecond: 0 });
    expect(failures).toMatchObject([{ code: 'dropped', count: 6 }]);
  });

  it('names a server that is down', async () => {
    const server = await startFakeServer();
    await server[Symbol.asyncDispose]();
    const run = await measureRawThroughput(makeEndpoint(server.url), [makeJob()], 1, systemClock);
    expect(countFailures(run.failures)).toEqual([
      { code: 'unreachable', count: 1, example: expect.stringContaining('ECONNREFUSED') },
    ]);
  });

  it('names an answer that does not come in time, once', async () => {
    const { run, failures } = await measure(
      onceAt(3, () => {}),
      { connections: 1, timeoutMs: 2000 },
    );
    expect(run.requests).toBe(6);
    expect(failures).toEqual([
      {
        code: 'timed_out',
        count: 1,
        example: 'There was no answer within the time limit of 2 s (--timeout).',
      },
    ]);
  });

  it.each([
    ['dropped', 'in the middle of the answer', (response: ServerResponse) => void response.destroy()],
    ['timed_out', 'The answer was not complete within the time limit of 2 s', () => {}],
  ])(
    'ends at an answer that was begun and %s, after which autocannon reads no other',
    async (code, words, end) => {
      const begin: Behaviour = (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '500' });
        response.write('{"choices": [', () => end(response));
      };
      const { run, failures } = await measure(onceAt(3, begin), { connections: 1, timeoutMs: 2000 });
      expect(failures).toEqual([{ code, count: 1, example: expect.stringContaining(words) }]);
      expect(run.requests).toBe(3);
    },
  );

  it('blames no server for requests after it said that it would close the connection', async () => {
    const { run } = await measure((body, response, request) => {
      response.setHeader('Connection', 'close');
      answerWell(body, response, request);
    });
    expect(run.failures).toEqual([]);
    expect(run.requests).toBeGreaterThanOrEqual(3);
  });
});
