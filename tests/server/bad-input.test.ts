/** Input that is meant to hurt: each gets its status or a closed connection, and the next answer is right. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openRawSocket, readAll } from './raw-request.js';
import { type FakeServer, startFakeServer } from './start-server.js';

const MEBIBYTE = 2 ** 20;
const known = { model: 'fake', prompt: 'Once upon', max_tokens: 20, seed: 11, ignore_eos: true };

let server: FakeServer;
let expected: string;
const askKnown = async () =>
  (await server.client.completions.create(known as typeof known & { prompt: string })).choices[0]!.text;

beforeAll(async () => {
  server = await startFakeServer({ contextChunks: 64 });
  expected = await askKnown();
});
afterAll(() => server[Symbol.asyncDispose]());

afterEach(async () => {
  expect(await askKnown()).toBe(expected);
  expect(server.engine.stats()).toMatchObject({ leasedSlots: 0, waiting: 0, running: 0 });
  expect(server.failures).toEqual([]);
});

interface Refusal {
  readonly status: number;
  readonly error: { readonly message: string; readonly param: string | null; readonly code: string | null };
}

async function post(body: string | Uint8Array, path = '/v1/completions'): Promise<Refusal> {
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: body as string,
  });
  return { status: response.status, ...((await response.json()) as Omit<Refusal, 'status'>) };
}

describe('a body of 10 MB', () => {
  const text = 'x'.repeat(10 * MEBIBYTE);

  it.each([
    ['as a prompt', '/v1/completions', JSON.stringify({ prompt: text })],
    ['as a message', '/v1/chat/completions', JSON.stringify({ messages: [{ role: 'user', content: text }] })],
    ['as an unknown field', '/v1/completions', JSON.stringify({ prompt: 'a', nonsense: text })],
    ['to be tokenized', '/tokenize', JSON.stringify({ prompt: text })],
  ])('%s is refused by its announced length', async (_, path, body) => {
    expect(await post(body, path)).toMatchObject({ status: 413, error: { code: 'payload_too_large' } });
  });

  it('of no announced length is refused when it has become too long, and its connection closed', async () => {
    const socket = openRawSocket(server);
    socket.on('error', () => {});
    const answer = readAll(socket);
    socket.write(
      'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
    );
    const part = `${MEBIBYTE.toString(16)}\r\n${'x'.repeat(MEBIBYTE)}\r\n`;
    for (let i = 0; i < 10; i += 1) socket.write(part);
    expect(await answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('that is announced and never sent is refused at once', async () => {
    const socket = openRawSocket(server);
    socket.on('error', () => {});
    socket.write(
      'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10485760\r\n\r\n{',
    );
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 413 [\s\S]*connection: close/i);
  });
});

describe('JSON', () => {
  const deep = (open: string, close: string): string => open.repeat(100_000) + close.repeat(100_000);

  it.each<[string, string, string | null]>([
    ['nested arrays', `{"prompt":${deep('[', ']')}}`, 'prompt'],
    ['nested objects', `{"logit_bias":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`, 'logit_bias'],
    ['a number without end', `{"prompt":"a","max_tokens":${'9'.repeat(100_000)}}`, 'max_tokens'],
    ['a key without end', `{"${'k'.repeat(100_000)}":1,"temperature":"x"}`, 'temperature'],
    ['10,000 stop strings', JSON.stringify({ prompt: 'a', stop: Array(10_000).fill('x') }), 'stop'],
    ['a stop string without end', JSON.stringify({ prompt: 'a', stop: 'x'.repeat(100_000) }), 'stop'],
    ['10,000 prompts', JSON.stringify({ prompt: Array(10_000).fill('x') }), 'prompt'],
    [
      'the same key twice, the last one wrong',
      '{"prompt":"a","temperature":1,"temperature":9}',
      'temperature',
    ],
    ['a token id that is no integer', '{"prompt":[1.5]}', 'prompt'],
    ['a token id below 0', '{"prompt":[-1]}', 'prompt'],
    ['a token id beyond all integers', '{"prompt":[1e300]}', 'prompt'],
    ['a bias for a prototype', '{"prompt":"a","logit_bias":{"constructor":1}}', 'logit_bias'],
    ['a BOM and nothing', '\uFEFF', null],
    ['half a character', '{"prompt":"\\ud83d', null],
    ['a raw control character', '{"prompt":"a\u0000b"}', null],
  ])('with %s is a 400 that names the field', async (_, body, param) => {
    const { status, error } = await post(body);
    expect([status, error.param]).toEqual([400, param]);
    expect(error.message.length).toBeLessThan(600);
  });

  it.each([
    ['an overlong encoding', [0xc0, 0xaf]],
    ['a surrogate in UTF-8', [0xed, 0xa0, 0x80]],
    ['a character beyond Unicode', [0xf5, 0x80, 0x80, 0x80]],
    ['half a character', [0xe2, 0x82]],
  ])('that is no UTF-8 is a 400: %s', async (_, bytes) => {
    const [before, after] = ['{"prompt":"', '"}'].map(part => Buffer.from(part)) as [Buffer, Buffer];
    const { status, error } = await post(Buffer.concat([before, Buffer.from(bytes), after]));
    expect([status, error.message]).toEqual([400, expect.stringContaining('not UTF-8')]);
  });

  it.each<[string, string]>([
    ['lone surrogates, escaped', '{"prompt":"a\\ud800","stop":"\\udfff","max_tokens":4}'],
    ['NUL characters, escaped', '{"prompt":"\\u0000\\u0000","stop":["\\u0000"],"max_tokens":4}'],
    ['noncharacters', '{"prompt":"\\uFDD0\\uFFFF","max_tokens":4}'],
    ['the same key twice', '{"prompt":"a","prompt":"b","max_tokens":9,"max_tokens":4}'],
    ['keys of prototypes', '{"__proto__":{"stream":true},"constructor":{"prototype":1},"max_tokens":4}'],
    [
      '10,000 unknown fields',
      JSON.stringify({
        ...Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`f${i}`, i])),
        max_tokens: 4,
      }),
    ],
    ['deep nonsense in an unknown field', `{"nonsense":${deep('[', ']')},"max_tokens":4}`],
  ])('may have %s', async (_, body) => {
    const response = await fetch(`${server.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^application\/json/);
    expect(((await response.json()) as { usage: unknown }).usage).toMatchObject({ completion_tokens: 4 });
  });
});

describe('HTTP', () => {
  const request = 'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
  const body = '{"prompt":"a","max_tokens":1}';

  it.each([
    ['a header with a NUL', `${request}x-a: b\u0000c\r\ncontent-length: ${body.length}\r\n\r\n${body}`],
    ['a header without a colon', `${request}nonsense\r\ncontent-length: ${body.length}\r\n\r\n${body}`],
    [
      'a lone line feed in a header',
      `${request}x-a: b\n c: d\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    ],
    ['a length below 0', `${request}content-length: -1\r\n\r\n${body}`],
    ['a length beyond all numbers', `${request}content-length: 99999999999999999999\r\n\r\n${body}`],
    [
      'a chunk size that is no number',
      `${request}transfer-encoding: chunked\r\n\r\nxyz\r\n${body}\r\n0\r\n\r\n`,
    ],
    [
      'a chunk that is longer than it says',
      `${request}transfer-encoding: chunked\r\n\r\n2\r\n${body}\r\n0\r\n\r\n`,
    ],
    ['no host', 'GET /v1/models HTTP/1.1\r\n\r\n'],
    ['two hosts', 'GET /v1/models HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n'],
    ['a method that is none', 'FROBNICATE /v1/models HTTP/1.1\r\nhost: x\r\n\r\n'],
  ])('with %s gets a refusal and a closed connection', async (_, bytes) => {
    const before = server.engine.stats().submitted;
    const socket = openRawSocket(server);
    socket.on('error', () => {});
    socket.write(`${bytes}GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n`);
    const answer = await readAll(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(server.engine.stats().submitted).toBe(before);
  });
});
