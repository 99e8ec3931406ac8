/** Limits: slow and rude clients, requests that take too long, a server that loads or goes. */
import { describe, expect, it } from 'vitest';
import { listenWhileLoading } from '../../src/server/listen.js';
import { ServedModels } from '../../src/server/models/served-model.js';
import { Lifecycle } from '../../src/server/requests/lifecycle.js';
import { openRawRequest, openRawSocket, readAll } from './raw-request.js';
import { startFakeServer } from './start-server.js';
import { until } from './until.js';

const endless = { model: 'fake', prompt: 'a', ignore_eos: true } as { model: string; prompt: string };
/** Every choice begins with the prompt's text and ids: 64 of them fill any buffer of the kernel. */
const wordy = { ...endless, prompt: 'x'.repeat(40_000), echo: true, return_token_ids: true, n: 64 };

const postStream = (url: string, body: object) =>
  fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'accept-encoding': 'gzip, br' },
    body: JSON.stringify({ ...body, stream: true }),
  });

describe('a client that stops reading', () => {
  it('is given up when too much waits for it, while others in its batch get what they get alone', async () => {
    const options = { contextChunks: 20_000, limits: { maxUnreadChunks: 256 } };
    await using server = await startFakeServer(options);
    const other = { ...endless, max_tokens: 400, seed: 3 };
    const alone = await server.client.completions.create(other);
    const socket = openRawRequest(server, { ...wordy, max_tokens: 4000, stream: true });
    socket.pause();
    const closed = new Promise(resolve => socket.once('close', resolve));
    socket.on('error', () => {});
    await until(() => server.engine.stats().running > 0);
    const beside = await server.client.completions.create(other);
    expect(beside.choices[0]?.text).toBe(alone.choices[0]?.text);
    await until(() => server.requests.length === 3);
    expect(server.requests.find(({ error }) => error !== null)).toMatchObject({
      status: 200,
      aborted: true,
      error: 'client_too_slow',
      generation: { finishReasons: { abort: expect.any(Number) } },
    });
    expect(server.engine.stats()).toMatchObject({ leasedSlots: 0, waiting: 0 });
    expect(server.monitor.metrics.unreadChunks).toBe(0);
    expect(server.failures).toEqual([]);
    socket.resume();
    await closed;
  });

  it('is cut off when it takes nothing of an answer that is complete', async () => {
    await using server = await startFakeServer({
      contextChunks: 20_000,
      timeouts: { stalledReaderTimeoutMs: 40 },
    });
    const socket = openRawRequest(server, { ...wordy, max_tokens: 4 });
    socket.pause();
    socket.on('error', () => {});
    await until(() => server.requests.length === 1);
    expect(server.requests[0]).toMatchObject({
      aborted: true,
      error: 'client_too_slow',
      generation: { finishReasons: { length: 64 } },
    });
    socket.destroy();
    expect((await server.client.completions.create({ ...endless, max_tokens: 1 })).choices).toHaveLength(1);
  });

  it('is not taken for one while its request waits', async () => {
    await using server = await startFakeServer({
      contextChunks: 20_000,
      timeouts: { stalledReaderTimeoutMs: 20 },
    });
    server.model.pause();
    const response = await postStream(server.url, { ...endless, max_tokens: 40 });
    // Whoever is cut off was looked at twice, and so was everyone who came before.
    const stalled = openRawRequest(server, { ...wordy, max_tokens: 0 });
    stalled.pause();
    stalled.on('error', () => {});
    await until(() => server.requests.length === 1);
    expect(server.requests[0]).toMatchObject({ aborted: true, error: 'client_too_slow' });
    stalled.destroy();
    server.model.resume();
    expect(await response.text()).toMatch(/data: \[DONE\]\n\n$/);
  });
});

describe('a client that dribbles', () => {
  const timeouts = { headersTimeoutMs: 60, receiveTimeoutMs: 120 };

  it.each([
    ['its headers', 'POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-slow: '],
    [
      'its body',
      'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
    ],
    ['nothing at all', ''],
  ])('with %s is told 408 and closed', async (_, start) => {
    await using server = await startFakeServer({ timeouts });
    const socket = openRawSocket(server);
    socket.write(start);
    const answer = await readAll(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
    expect(JSON.parse(answer.split('\r\n\r\n')[1]!)).toEqual({
      error: { message: expect.any(String), type: 'invalid_request_error', param: null, code: null },
    });
    expect((await server.client.completions.create({ ...endless, max_tokens: 1 })).choices).toHaveLength(1);
    expect(server.failures).toEqual([]);
  });

  it('with headers without end is told 431 and closed', async () => {
    await using server = await startFakeServer();
    const socket = openRawSocket(server);
    socket.write(`GET /health HTTP/1.1\r\nhost: x\r\nx-long: ${'y'.repeat(40_000)}\r\n\r\n`);
    socket.on('error', () => {});
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 431 /);
  });
});

describe('a request that a proxy may read in another way', () => {
  const smuggled = 'GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n';

  it.each([
    ['two ways to tell its length', 'content-length: 5\r\ntransfer-encoding: chunked'],
    ['two lengths', 'content-length: 5\r\ncontent-length: 6'],
    ['a length that is no number', 'content-length: 5, 5'],
    ['a space before a colon', 'content-length : 5'],
    ['a folded header', 'content-length: 5\r\n 0'],
    ['an unknown transfer coding at the end', 'transfer-encoding: chunked, identity'],
  ])('with %s gets 400, and nothing after it an answer', async (_, headers) => {
    await using server = await startFakeServer();
    const socket = openRawSocket(server);
    socket.on('error', () => {});
    socket.write(
      `POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n${headers}\r\n\r\n0\r\n\r\n${smuggled}`,
    );
    const answer = await readAll(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect((await fetch(`${server.url}/v1/models`)).status).toBe(200);
    expect(server.engine.stats().submitted).toBe(0);
  });
});

describe('a request that takes too long', () => {
  it('is answered 408, once, and frees its slot', async () => {
    await using server = await startFakeServer({ requestTimeoutMs: 30 });
    server.model.pause();
    const client = server.client.withOptions({ maxRetries: 2 });
    const refused = await client.completions.create({ ...endless, max_tokens: 40 }).catch(error => error);
    expect(refused).toMatchObject({ status: 408, code: 'request_timeout' });
    expect(refused.message).toContain('0.03 s');
    await until(() => server.requests.length === 1);
    // The engine's word on it comes with the step that runs.
    expect(server.engine.stats()).toMatchObject({ submitted: 1, leasedSlots: 0, running: 0 });
    expect(server.requests[0]).toMatchObject({ status: 408, error: 'request_timeout', aborted: false });
  });

  it('ends its stream with an error event that the official client throws', async () => {
    await using server = await startFakeServer({ requestTimeoutMs: 30 });
    server.model.pause();
    const stream = await server.client.completions.create({ ...endless, max_tokens: 40, stream: true });
    const read = async () => {
      for await (const _ of stream);
    };
    await expect(read()).rejects.toMatchObject({ code: 'request_timeout' });
    await until(() => server.requests.length === 1);
    expect(server.requests[0]).toMatchObject({ status: 200, error: 'request_timeout', aborted: false });
    expect(server.engine.stats().leasedSlots).toBe(0);
  });
});

describe('a stream', () => {
  it('sends its headers while its request still waits, and nothing that proxies collect or compress', async () => {
    await using server = await startFakeServer({ slotCount: 1 });
    server.model.pause();
    const first = openRawRequest(server, { ...endless, max_tokens: 8 });
    await until(() => server.engine.stats().leasedSlots === 1);
    const response = await postStream(server.url, { ...endless, max_tokens: 8 });
    expect(response.status).toBe(200);
    expect(server.engine.stats().waiting).toBe(1);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      'keep-alive': 'timeout=75',
    });
    expect(response.headers.get('content-encoding')).toBeNull();
    server.model.resume();
    expect(await response.text()).toMatch(/data: \[DONE\]\n\n$/);
    first.destroy();
  });
});

describe('a server that is told to go twice', () => {
  it('ends at the second time what the first let run', async () => {
    await using server = await startFakeServer({ contextChunks: 20_000 });
    const response = await postStream(server.url, { ...endless, max_tokens: 60_000 });
    const body = response.text();
    const first = server.running.close(600_000);
    const second = server.running.close(0);
    expect(await body).toMatch(/data: \{"error":\{"message":"The server is shutting down/);
    await Promise.all([first, second]);
    expect(server.engine.stats().leasedSlots).toBe(0);
  });
});

describe('a server that loads', () => {
  it('lives, is not ready, and says so to whoever asks for more, until it has its models', async () => {
    await using fake = await startFakeServer();
    const loading = await listenWhileLoading({ host: '127.0.0.1', port: 0 });
    const status = async (path: string) => (await fetch(loading.url + path)).status;
    expect(await Promise.all(['/livez', '/readyz', '/health', '/v1/health'].map(status))).toEqual([
      200, 503, 503, 503,
    ]);
    expect(await (await fetch(`${loading.url}/health`)).json()).toEqual({ status: 'loading', models: [] });
    const refused = await postStream(loading.url, endless);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await refused.json()).toMatchObject({ error: { type: 'server_error', code: 'loading' } });
    loading.serve({
      models: new ServedModels([fake.served]),
      lifecycle: new Lifecycle(),
      maxBodyBytes: 1000,
      logFault: () => {},
    });
    expect(await Promise.all(['/livez', '/readyz', '/health', '/v1/models'].map(status))).toEqual([
      200, 200, 200, 200,
    ]);
    await loading.close(0);
  });

  it('tells how far it is, and lists its models to whoever has a key', async () => {
    let ready = 0;
    const names = ['first', 'second'];
    const loading = await listenWhileLoading(
      { host: '127.0.0.1', port: 0 },
      {
        apiKeys: ['key'],
        allowedOrigins: ['https://chat.example.org'],
        models: () =>
          names.map((id, index) => ({ id, created: 7, status: index < ready ? 'ready' : 'loading' })),
      },
    );
    const get = async (path: string, key: string) => {
      const headers = { authorization: `Bearer ${key}`, origin: 'https://chat.example.org' };
      const response = await fetch(loading.url + path, { headers });
      expect(response.headers.get('access-control-allow-origin')).toBe('https://chat.example.org');
      return {
        status: response.status,
        body: (await response.json()) as { data?: unknown; models?: unknown },
      };
    };
    const states = async () => (await get('/health', '')).body.models;
    expect(await states()).toEqual(names.map(id => ({ id, status: 'loading' })));
    ready = 1;
    expect(await states()).toEqual([
      { id: 'first', status: 'ready' },
      { id: 'second', status: 'loading' },
    ]);
    const listed = await get('/v1/models', 'key');
    expect(listed).toEqual({
      status: 200,
      body: {
        object: 'list',
        data: names.map((id, index) => ({
          id,
          object: 'model',
          created: 7,
          owned_by: 'calm-serve',
          status: index === 0 ? 'ready' : 'loading',
        })),
      },
    });
    expect((await get('/models', 'wrong')).status).toBe(401);
    expect((await get('/v1/completions', '')).status).toBe(401);
    expect((await get('/v1/completions', 'key')).status).toBe(503);
    await loading.close(0);
  });

  it('goes before it has loaded, if it must', async () => {
    const loading = await listenWhileLoading({ host: '127.0.0.1', port: 0 });
    await loading.close(0);
    await expect(fetch(`${loading.url}/livez`)).rejects.toThrow();
  });
});
