/** The server over TLS: the same answers, and the same limits against slow and rude clients. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { readAll } from './raw-request.js';
import { startFakeServer } from './start-server.js';
import { until } from './until.js';

const fixtures = join(import.meta.dirname, '../fixtures/tls');
const cert = readFileSync(join(fixtures, 'certificate.pem'), 'utf8');
const tls = { cert, key: readFileSync(join(fixtures, 'key.pem'), 'utf8') };

const endless = { model: 'fake', prompt: 'a', ignore_eos: true };
/** Every choice begins with the prompt's text and ids: 64 of them fill any buffer of the kernel. */
const wordy = { ...endless, prompt: 'x'.repeat(40_000), echo: true, return_token_ids: true, n: 64 };

interface Answer {
  readonly status: number | undefined;
  readonly keepAlive: unknown;
  readonly text: string;
}

/** Asks for a completion, and trusts the server's own certificate and no other. */
function complete(url: string, body: object, agent?: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', ca: cert, headers: { 'content-type': 'application/json' } };
    const call = request(`${url}/v1/completions`, agent ? { ...options, agent } : options, response => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', part => {
        text += part;
      });
      response.once('end', () =>
        resolve({ status: response.statusCode, keepAlive: response.headers['keep-alive'], text }),
      );
      response.once('error', reject);
    });
    call.once('error', reject);
    call.end(JSON.stringify(body));
  });
}

/** A connection over TLS on which nothing is written yet. */
async function open(url: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca: cert });
  socket.on('error', () => {});
  await new Promise(resolve => socket.once('secureConnect', resolve));
  return socket;
}

function writeRequest(socket: TLSSocket, body: object): void {
  const json = JSON.stringify(body);
  socket.write(
    'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n' +
      `content-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
  );
}

describe('a server with a certificate', () => {
  it('answers over TLS, says so in its address, and keeps the connection', async () => {
    await using server = await startFakeServer({ tls });
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: cert });
    const answers = [];
    for (const seed of [1, 2]) {
      answers.push(await complete(server.url, { ...endless, max_tokens: 8, seed }, agent));
    }
    for (const { status, keepAlive, text } of answers) {
      expect([status, keepAlive]).toEqual([200, 'timeout=75']);
      expect(JSON.parse(text)).toMatchObject({ model: 'fake', usage: { completion_tokens: 8 } });
    }
    expect(Object.values(agent.freeSockets).flat()).toHaveLength(1);
    agent.destroy();
  });

  it('streams, each event a chunk of the body of its own', async () => {
    await using server = await startFakeServer({ tls });
    const socket = await open(server.url);
    writeRequest(socket, { ...endless, max_tokens: 40, seed: 3, stream: true });
    let answer = '';
    socket.on('data', part => {
      answer += part;
    });
    await until(() => answer.endsWith('\r\n0\r\n\r\n'));
    socket.destroy();
    const [head, body = ''] = answer.split(/\r\n\r\n(.*)/s);
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n(.*\r\n)*content-type: text\/event-stream/i);
    const chunks = body.match(/[0-9a-f]+\r\ndata: .*?\n\n\r\n/gs) ?? [];
    expect(chunks.length).toBeGreaterThanOrEqual(10);
    for (const chunk of chunks) {
      const [, length, event = ''] = /^([0-9a-f]+)\r\n(.*)\r\n$/s.exec(chunk) ?? [];
      expect(Buffer.byteLength(event)).toBe(Number.parseInt(length ?? '', 16));
    }
    expect(body).toMatch(/data: \[DONE\]\n\n\r\n0\r\n\r\n$/);
  });

  it('does not answer plain HTTP, and nobody else is troubled by it', async () => {
    await using server = await startFakeServer({ tls });
    const plain = connectPlain(Number(new URL(server.url).port), '127.0.0.1');
    plain.on('error', () => {});
    plain.write('GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
    expect(await readAll(plain)).not.toContain('HTTP/1.1');
    expect((await complete(server.url, { ...endless, max_tokens: 4 })).status).toBe(200);
    expect(server.failures).toEqual([]);
  });
});

describe('a slow or rude client over TLS', () => {
  const timeouts = { headersTimeoutMs: 60, receiveTimeoutMs: 120 };

  it.each([
    ['its headers', 'POST /v1/completions HTTP/1.1\r\nhost: x\r\nx-slow: '],
    [
      'its body',
      'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{',
    ],
  ])('that dribbles %s is told 408 and closed', async (_, start) => {
    await using server = await startFakeServer({ tls, timeouts });
    const socket = await open(server.url);
    socket.write(start);
    expect(await readAll(socket)).toMatch(
      /^HTTP\/1\.1 408 Request Timeout\r\n.*"type":"invalid_request_error"/s,
    );
  });

  it('that never begins its handshake is closed without a word', async () => {
    await using server = await startFakeServer({ tls, timeouts });
    const silent = connectPlain(Number(new URL(server.url).port), '127.0.0.1');
    expect(await readAll(silent)).toBe('');
    expect(server.failures).toEqual([]);
  });

  it('that takes nothing of its answer is cut off', async () => {
    const stalled = { stalledReaderTimeoutMs: 40 };
    await using server = await startFakeServer({ tls, contextChunks: 20_000, timeouts: stalled });
    const socket = await open(server.url);
    socket.pause();
    writeRequest(socket, { ...wordy, max_tokens: 4 });
    await until(() => server.requests.length === 1);
    expect(server.requests[0]).toMatchObject({ aborted: true, error: 'client_too_slow' });
    socket.destroy();
  });
});

describe('a server with a certificate that is told to go', () => {
  it('lets a stream finish, and waits for no connection without a request or a handshake', async () => {
    await using server = await startFakeServer({ tls });
    const handshaken = await open(server.url);
    const bare = connectPlain(Number(new URL(server.url).port), '127.0.0.1');
    await new Promise(resolve => bare.once('connect', resolve));
    const closed = Promise.all([readAll(handshaken), readAll(bare)]);
    server.model.pause();
    const answer = complete(server.url, { ...endless, max_tokens: 40, stream: true });
    await until(() => server.engine.stats().leasedSlots === 1);
    const gone = server.running.close(600_000);
    // Both unused connections are closed while the stream still runs, and it is not closed with them.
    await closed;
    server.model.resume();
    expect((await answer).text).toMatch(/data: \[DONE\]\n\n$/);
    await gone;
  });
});
