/** Routes beside completions, and the headers that every answer has. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callJson, postCompletion } from './json-requests.js';
import { type FakeServer, startFakeServer } from './start-server.js';

let server: FakeServer;
beforeAll(async () => {
  server = await startFakeServer({ contextChunks: 64, maxBodyBytes: 100_000 });
});
afterAll(() => server[Symbol.asyncDispose]());

const call = (path: string, init?: RequestInit) => callJson(`${server.url}${path}`, init);
const post = (body: unknown, headers?: Record<string, string>) => postCompletion(server.url, body, headers);

describe('other routes', () => {
  it('lists models with all fields, and shows each', async () => {
    const { body } = await call('/v1/models');
    expect(body).toEqual({
      object: 'list',
      data: [
        {
          id: 'fake',
          object: 'model',
          created: 1_700_000_000,
          owned_by: 'calm-serve',
          status: 'ready',
          max_model_len: 256,
          meta: { kind: 'calm', chunk_size: 4, n_vocab: 258, defaults: {} },
        },
      ],
    });
    const listed = (await server.client.models.list()).data[0];
    expect(await server.client.models.retrieve('fake')).toEqual(listed);
    for (const path of ['/models', '/models/', '/v1/models/fake', '/v1/models/fake/']) {
      expect((await call(path)).status).toBe(200);
    }
    expect((await call('/v1/models/some/other')).body.error?.message).toContain('"some/other"');
  });

  it('says how it is', async () => {
    const { status, body } = await call('/health');
    expect([status, body]).toEqual([
      200,
      { status: 'ok', models: [{ id: 'fake', status: 'ready', slots: 8, running: 0, waiting: 0 }] },
    ]);
  });

  it('echoes a request id and makes one up', async () => {
    const given = await call('/health', { headers: { 'x-request-id': 'abc-1' } });
    expect(given.headers.get('x-request-id')).toBe('abc-1');
    const refused = await post('{', { 'x-request-id': 'abc-2' });
    expect(refused.headers.get('x-request-id')).toBe('abc-2');
    expect((await call('/health')).headers.get('x-request-id')).toMatch(/^req_/);
  });

  it('marks a stream so that nothing on the way collects it', async () => {
    const response = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': 'abc-3' },
      body: '{"prompt":"a","stream":true}',
    });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'x-request-id': 'abc-3',
    });
    const body = await response.text();
    expect(body.endsWith('data: [DONE]\n\n')).toBe(true);
    expect(
      body
        .split('\n\n')
        .filter(Boolean)
        .every(frame => frame.startsWith('data: ')),
    ).toBe(true);
  });
});
