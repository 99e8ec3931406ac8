/** A full queue, a model that fails, readers that leave or stop reading, and a server that shuts down. */
import { describe, expect, it } from 'vitest';
import { openRawRequest, openRawSocket, readAll } from './raw-request.js';
import { startFakeServer } from './start-server.js';
import { until } from './until.js';

const endless = { model: 'fake', prompt: 'a', ignore_eos: true } as { model: string; prompt: string };

describe('a full queue', () => {
  it('refuses a request whole, with 429 and Retry-After, and takes it when there is room', async () => {
    await using server = await startFakeServer({ slotCount: 2, maxWaiting: 3 });
    server.model.pause();
    const { completions } = server.client;
    const running = completions.create({ ...endless, max_tokens: 4, n: 4 });
    await until(() => server.engine.stats().submitted === 4);
    const refused = await completions.create({ ...endless, max_tokens: 4, n: 2 }).catch(error => error);
    expect(refused).toMatchObject({ status: 429, code: 'rate_limit_exceeded', type: 'rate_limit_error' });
    expect(refused.headers.get('retry-after')).toBe('1');
    const { leasedSlots, waiting } = server.engine.stats();
    expect(leasedSlots + waiting).toBe(4);
    server.model.resume();
    expect((await running).choices).toHaveLength(4);
    expect((await completions.create({ ...endless, max_tokens: 4, n: 5 })).choices).toHaveLength(5);
  });
});

describe('many choices and many requests at a time', () => {
  it('are no leak to Node', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): number => warnings.push(warning);
    process.on('warning', note);
    await using server = await startFakeServer();
    await Promise.all(
      Array.from({ length: 12 }, () =>
        server.client.completions.create({ ...endless, max_tokens: 4, n: 12 }),
      ),
    );
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });
});

describe('a step that fails', () => {
  it('is a 500 in the envelope, in the log, and the end of that request only', async () => {
    await using server = await startFakeServer();
    server.model.nextFailure = new Error('the library is unwell');
    const failed = await server.client.completions
      .create({ ...endless, max_tokens: 40 })
      .catch(error => error);
    expect(failed).toMatchObject({ status: 500, type: 'server_error' });
    expect(server.failures).toHaveLength(1);
    expect(
      (await server.client.completions.create({ ...endless, max_tokens: 8 })).usage?.completion_tokens,
    ).toBe(8);
    expect(server.engine.stats().leasedSlots).toBe(0);
  });

  it('ends a stream that has begun with one error event, no finish reason and no [DONE]', async () => {
    await using server = await startFakeServer({ contextChunks: 20_000 });
    const response = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...endless, stream: true, n: 3, max_tokens: 60_000 }),
    });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = (await reader.read()).value ?? '';
    server.model.nextFailure = new Error('the library is unwell');
    for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
    const frames = text.split('\n\n').filter(Boolean);
    expect(JSON.parse(frames.at(-1)!.slice('data: '.length))).toEqual({
      error: { message: expect.any(String), type: 'server_error', param: null, code: null },
    });
    expect(frames.filter(frame => frame.includes('"error"'))).toHaveLength(1);
    expect(text).not.toMatch(/\[DONE\]|"finish_reason":"/);
    expect(server.engine.stats().leasedSlots).toBe(0);
  });

  it('is thrown by the official client in the middle of the stream', async () => {
    await using server = await startFakeServer({ contextChunks: 20_000 });
    const stream = await server.client.completions.create({ ...endless, stream: true, max_tokens: 60_000 });
    const read = async () => {
      for await (const _ of stream) server.model.nextFailure ??= new Error('the library is unwell');
    };
    await expect(read()).rejects.toMatchObject({ type: 'server_error' });
  });
});

describe('a client that leaves', () => {
  it.each([
    ['running stream', { stream: true }],
    ['running whole answer', {}],
  ])('frees the slot of its %s at once, without another step', async (_, body) => {
    await using server = await startFakeServer();
    server.model.pause();
    const socket = openRawRequest(server, { ...endless, ...body, max_tokens: 2000 });
    await until(() => server.engine.stats().leasedSlots === 1);
    const { steps } = server.engine.stats();
    socket.destroy();
    await until(() => server.engine.stats().finished.aborted === 1);
    expect(server.engine.stats()).toMatchObject({ leasedSlots: 0, running: 0, waiting: 0, steps });
    server.model.resume();
    expect((await server.client.completions.create({ ...endless, max_tokens: 4 })).choices).toHaveLength(1);
    expect(server.failures).toEqual([]);
  });

  it.each([
    ['stream', { stream: true }],
    ['whole answer', {}],
  ])('takes its waiting %s out of the queue', async (_, body) => {
    await using server = await startFakeServer({ slotCount: 1 });
    server.model.pause();
    const first = openRawRequest(server, { ...endless, max_tokens: 8 });
    await until(() => server.engine.stats().leasedSlots === 1);
    const second = openRawRequest(server, { ...endless, ...body, max_tokens: 8, n: 3 });
    await until(() => server.engine.stats().waiting === 3);
    second.destroy();
    await until(() => server.engine.stats().waiting === 0);
    expect(server.engine.stats()).toMatchObject({ leasedSlots: 1, finished: { aborted: 3 } });
    first.destroy();
    await until(() => server.engine.stats().leasedSlots === 0);
  });

  it('costs nothing where it leaves before its body is complete', async () => {
    await using server = await startFakeServer();
    const socket = openRawSocket(server);
    socket.write(
      'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 999\r\n\r\n{"pro',
    );
    await until(() => socket.bytesWritten > 0);
    socket.destroy();
    await server.client.completions.create({ ...endless, max_tokens: 1 });
    expect(server.engine.stats().submitted).toBe(1);
    expect(server.failures).toEqual([]);
  });
});

describe('a client that does not read', () => {
  it('neither stalls the others nor makes the server write ahead', async () => {
    await using server = await startFakeServer({ contextChunks: 20_000 });
    // Every choice begins with the prompt's text and ids, so that 128 of them fill any buffer of the kernel.
    const body = { prompt: 'x'.repeat(40_000), echo: true, return_token_ids: true, n: 128, max_tokens: 8 };
    const socket = openRawRequest(server, { ...endless, ...body, stream: true });
    socket.pause();
    await until(() => server.engine.stats().finished.length === 128);
    await server.client.completions.create({ ...endless, max_tokens: 8 });
    // 2 of the other request, at most the first of each choice, and a second one for each that the socket took.
    await until(() => server.engine.stats().generatedChunks === 2 + 2 * 128);
    expect(server.chunksRead()).toBeLessThan(2 + 128 + 100);
    socket.resume();
    await until(() => server.chunksRead() === 2 + 2 * 128);
    socket.destroy();
  });
});

describe('shutdown', () => {
  it('lets running requests finish, refuses new ones, and closes', async () => {
    await using server = await startFakeServer();
    server.model.pause();
    const running = server.client.completions.create({ ...endless, max_tokens: 12 });
    await until(() => server.engine.stats().leasedSlots === 1);
    const closed = server.running.close(60_000);
    expect(server.lifecycle.draining).toBe(true);
    server.model.resume();
    expect((await running).usage?.completion_tokens).toBe(12);
    await closed;
    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
  });

  it('does not wait for a connection that was opened ahead of any request', async () => {
    await using server = await startFakeServer();
    const socket = openRawSocket(server);
    // Ordered after it: when this one is answered, the server has accepted the other.
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    const gone = new Promise(resolve => socket.once('close', resolve));
    await server.running.close(600_000);
    await gone;
  });

  it('answers a request that comes on a connection opened before, and closes one on which none comes', async () => {
    await using server = await startFakeServer();
    const [used, unused] = [openRawSocket(server), openRawSocket(server)];
    // Connections are taken in their order: the server has both when it has answered on a third.
    await fetch(`${server.url}/livez`);
    const answers = [used, unused].map(readAll);
    const closing = server.running.close(60_000);
    used.write('POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n');
    const [answer, nothing] = await Promise.all(answers);
    expect(answer).toMatch(/^HTTP\/1\.1 503 [\s\S]*"shutting_down"/);
    expect(nothing).toBe('');
    await closing;
  });

  it('answers requests on connections that the kernel has made and the server not yet accepted', async () => {
    await using server = await startFakeServer();
    const sockets = Array.from({ length: 64 }, () => openRawRequest(server, { ...endless, max_tokens: 4 }));
    const answers = sockets.map(readAll);
    // The clients of this process hear of their connections all at once, and its server takes one at a time.
    await Promise.all(sockets.map(socket => new Promise(resolve => socket.once('connect', resolve))));
    const closing = server.running.close(60_000);
    const statuses = (await Promise.all(answers)).map(answer => answer.split('\r\n')[0]);
    // The first may have been taken before the server began to close.
    const refused = statuses.filter(status => status !== 'HTTP/1.1 200 OK');
    expect(refused.length).toBeGreaterThan(32);
    expect(refused).toEqual(refused.map(() => 'HTTP/1.1 503 Service Unavailable'));
    await closing;
  });

  it('ends what still runs after the time to drain with an error event', async () => {
    await using server = await startFakeServer({ contextChunks: 20_000 });
    const stream = await server.client.completions.create({ ...endless, stream: true, max_tokens: 60_000 });
    const read = async () => {
      for await (const _ of stream) server.lifecycle.end();
    };
    await expect(read()).rejects.toMatchObject({ code: 'shutting_down' });
    await until(() => server.engine.stats().leasedSlots === 0);
    await server.running.close(0);
  });

  it('answers 503 on a connection that was open before', async () => {
    await using server = await startFakeServer();
    expect((await fetch(`${server.url}/health`)).status).toBe(200);
    server.lifecycle.drain();
    const health = await fetch(`${server.url}/health`);
    expect(health.headers.get('connection')).toBe('close');
    expect([health.status, ((await health.json()) as { status: string }).status]).toEqual([503, 'draining']);
    const refused = await server.client.completions.create(endless).catch(error => error);
    expect(refused).toMatchObject({ status: 503, code: 'shutting_down' });
    expect(refused.headers.get('retry-after')).toBe('5');
  });
});
