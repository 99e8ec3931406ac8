/** Requests that are odd but right, and requests that are wrong: what each gets, and that the server goes on. */
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completionSchema } from '../../src/server/completions/completion-schema.js';
import { callJson, postCompletion } from './json-requests.js';
import { type FakeServer, startFakeServer } from './start-server.js';

let server: FakeServer;
beforeAll(async () => {
  server = await startFakeServer({ contextChunks: 64, maxBodyBytes: 100_000 });
});
afterAll(() => server[Symbol.asyncDispose]());

const call = (path: string, init?: RequestInit) => callJson(`${server.url}${path}`, init);
const post = (body: unknown, headers?: Record<string, string>) => postCompletion(server.url, body, headers);

describe('right requests', () => {
  const allNull = Object.fromEntries(
    [...Object.keys(completionSchema.shape), 'user'].map(key => [key, null]),
  );

  it.each<[string, Record<string, unknown>]>([
    ['null in every field', allNull],
    ['nothing at all', {}],
    ['an empty prompt', { prompt: '' }],
    ['an empty prompt among others', { prompt: ['', 'a'] }],
    ['an empty array of ids', { prompt: [[]] }],
    ['ids', { prompt: [1, 2, 3] }],
    ['arrays of ids', { prompt: [[1, 2], [3]] }],
    ['strings', { prompt: ['a', 'b'] }],
    ['unknown fields', { prompt: 'a', top_k: 5, repetition_penalty: 1, nonsense: { deep: [1] } }],
    ['logprobs 0', { prompt: 'a', logprobs: 0 }],
    ['no stop strings', { prompt: 'a', stop: [] }],
    ['an empty stop string', { prompt: 'a', stop: '' }],
    [
      'stream options without a stream',
      { prompt: 'a', stream: false, stream_options: { include_usage: true } },
    ],
    ['a seed of 64 bits', { prompt: 'a', seed: 2 ** 63 }],
    ['a negative seed', { prompt: 'a', seed: -5 }],
    ['more tokens than there is room for', { prompt: 'a', max_tokens: 1_000_000 }],
    [
      'what the client generators send',
      {
        prompt: 'This is a test.',
        best_of: 0,
        echo: true,
        frequency_penalty: -2,
        logit_bias: { foo: 0 },
        logprobs: 0,
        max_tokens: 16,
        n: 1,
        presence_penalty: -2,
        seed: 0,
        stop: '\n',
        stream: false,
        stream_options: { include_obfuscation: true, include_usage: true },
        suffix: 'test.',
        temperature: 1,
        top_p: 1,
        user: 'user-1234',
      },
    ],
    ['a lone surrogate and a NUL', { prompt: 'a\ud800b\u0000c', stop: '\ud800' }],
  ])('takes %s', async (_, body) => {
    const { status, body: answer } = await post(body);
    expect([status, answer.error]).toEqual([200, undefined]);
    expect(answer.choices?.length).toBeGreaterThan(0);
  });

  it('gives 16 tokens where max_tokens is null, and at most what the context holds', async () => {
    const usage = async (max_tokens: unknown) =>
      (await post({ prompt: 'abcd', max_tokens, ignore_eos: true })).body.usage;
    expect(await usage(null)).toMatchObject({ completion_tokens: 16 });
    expect(await usage(1e9)).toMatchObject({ prompt_tokens: 4, completion_tokens: 252 });
  });

  it.each(['/completions', '/v1/completions/', '/completions/'])('answers POST %s', async path => {
    const { status } = await call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: '{"prompt":"a","max_tokens":1}',
    });
    expect(status).toBe(200);
  });
});

describe('wrong requests', () => {
  it.each<[string, unknown, string | null, RegExp]>([
    ['no JSON', '{"prompt": ', null, /not valid JSON/],
    ['no UTF-8', new Uint8Array([0x22, 0xff, 0xfe, 0x22]), null, /not UTF-8/],
    ['an array', [], null, /must be a JSON object/],
    ['an empty body', '', null, /not valid JSON/],
    ['deep nesting', '['.repeat(20_000) + ']'.repeat(20_000), null, /must be a JSON object/],
    [
      'a deeply nested prompt',
      `{"prompt":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      'prompt',
      /^`prompt` must be/,
    ],
    ['a hot temperature', { prompt: 'a', temperature: 'hot' }, 'temperature', /from 0 to 2\. Given: "hot"/],
    ['temperature -1', { prompt: 'a', temperature: -1 }, 'temperature', /from 0 to 2\. Given: -1/],
    [
      'temperature NaN',
      '{"prompt":"a","temperature":NaN}',
      'temperature',
      /^`temperature` must not be .* NaN/,
    ],
    ['an infinite top_p', '{"prompt":"a NaN \\"NaN", "top_p" : -Infinity}', 'top_p', /^`top_p` .* -Infinity/],
    [
      'a bias NaN',
      '{"prompt":["a"],"logit_bias":{"5":NaN,"6":NaN}}',
      'logit_bias',
      /^`logit_bias` .* hold NaN/,
    ],
    ['NaN where a field should be', '{"prompt":"a",NaN}', null, /not valid JSON/],
    ['NaN and no end', '{"temperature":NaN', null, /not valid JSON/],
    ['NaN alone', 'NaN', null, /not valid JSON/],
    ['temperature just above 2', '{"temperature":2.01}', 'temperature', /from 0 to 2.* Given: 2\.01/],
    ['temperature 1e999', '{"prompt":"a","temperature":1e999}', 'temperature', /Given: Infinity/],
    ['max_tokens -1', { prompt: 'a', max_tokens: -1 }, 'max_tokens', /from 0 up\. Given: -1/],
    ['max_tokens "5"', { prompt: 'a', max_tokens: '5' }, 'max_tokens', /Given: "5"/],
    ['n 0', { prompt: 'a', n: 0 }, 'n', /from 1 to 128/],
    ['n 129', { prompt: 'a', n: 129 }, 'n', /from 1 to 128/],
    ['more choices than fit', { prompt: ['a', 'b', 'c', 'd', 'e'], n: 128 }, 'prompt', /640 choices/],
    ['a prompt of mixed kinds', { prompt: ['a', 1] }, 'prompt', /must be a string, an array/],
    [
      'an id outside of the vocabulary',
      { prompt: [1, 258] },
      'prompt',
      /`prompt\[1\]`.*0 to 257\. Given: 258/,
    ],
    ['such an id in an array', { prompt: [[1], [2, 999]] }, 'prompt', /`prompt\[1\]\[1\]`/],
    [
      'such an id without tokens to make',
      { prompt: [999], max_tokens: 0, echo: true },
      'prompt',
      /Given: 999/,
    ],
    ['such an id as a stop', { prompt: 'a', stop_token_ids: [5000] }, 'stop_token_ids', /Given: 5000/],
    ['logprobs', { prompt: 'a', logprobs: 1 }, 'logprobs', /no token probabilities/],
    ['10,000 stop strings', { prompt: 'a', stop: Array(10_000).fill('x') }, 'stop', /at most 64/],
    ['min_tokens above max_tokens', { prompt: 'a', max_tokens: 3, min_tokens: 4 }, 'min_tokens', /exceed/],
    ['stream 1', { prompt: 'a', stream: 1 }, 'stream', /true or false/],
    ['a seed that is no integer', { prompt: 'a', seed: 1.5 }, 'seed', /whole number/],
    ['num_candidates 0', { prompt: 'a', num_candidates: 0 }, 'num_candidates', /from 1 to 4096/],
    ['num_candidates 1e9', { prompt: 'a', num_candidates: 1e9 }, 'num_candidates', /from 1 to 4096/],
    ['num_candidates 1.5', { prompt: 'a', num_candidates: 1.5 }, 'num_candidates', /whole number from 1/],
    [
      'a bias that forbids every token',
      { prompt: 'a', logit_bias: Object.fromEntries(Array.from({ length: 258 }, (_, id) => [id, -100])) },
      'logit_bias',
      /^`logit_bias` must leave a token.* all 258 /,
    ],
    ['sampler', { prompt: 'a', sampler: 'beam' }, 'sampler', /"auto" or "exact" or "pool"/],
    ['temperature_law', { prompt: 'a', temperature_law: 1 }, 'temperature_law', /"token" or "chunk"/],
    ['chunk_statistics', { prompt: 'a', chunk_statistics: 5 }, 'chunk_statistics', /true or false/],
    ['logprobs', { prompt: 'a', logprobs: 3 }, 'logprobs', /`chunk_statistics`: true counts/],
  ])('refuses %s', async (_, body, param, message) => {
    const { status, headers, body: answer } = await post(body);
    expect(status).toBe(400);
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    expect(Object.keys(answer)).toEqual(['error']);
    expect(answer.error).toEqual({
      message: expect.stringMatching(message),
      type: 'invalid_request_error',
      param,
      code: expect.any(String),
    });
    expect(answer.error?.message).toMatch(/\.$/);
  });

  it('refuses a prompt that does not fit, with the numbers', async () => {
    const { status, body } = await post({ prompt: 'x'.repeat(300) });
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ code: 'context_length_exceeded', param: 'prompt' });
    expect(body.error?.message).toMatch(/300 tokens.*256/);
  });

  it('refuses such a prompt in a stream before it begins', async () => {
    const { status, body } = await post({ prompt: ['a', 'x'.repeat(300)], stream: true });
    expect([status, body.error?.code]).toEqual([400, 'context_length_exceeded']);
    expect(server.engine.stats()).toMatchObject({ leasedSlots: 0, waiting: 0 });
  });

  it('names the served models to who asks for another one', async () => {
    const { status, body } = await post({ model: 'gpt-9', prompt: 'a' });
    expect(status).toBe(404);
    expect(body.error).toMatchObject({ code: 'model_not_found', param: 'model' });
    expect(body.error?.message).toMatch(/"gpt-9".*"fake"/);
  });

  it.each(['application/x-www-form-urlencoded', 'text/plain'])('refuses the content type %s', async type => {
    const { status, body } = await post('{"prompt":"a"}', { 'content-type': type });
    expect([status, body.error?.code]).toEqual([415, 'unsupported_media_type']);
    expect(body.error?.message).toContain(type);
  });

  it('refuses a body over the limit, whether its length is announced or not', async () => {
    const announced = await post({ prompt: 'x'.repeat(200_000) });
    expect([announced.status, announced.body.error?.code]).toEqual([413, 'payload_too_large']);
    const chunked = await sendChunked(`{"prompt":"${'x'.repeat(200_000)}"}`);
    expect(chunked.status).toBe(413);
    expect(JSON.parse(chunked.body).error.message).toContain('100000 bytes');
  });

  it('takes a chunked body below the limit', async () => {
    expect((await sendChunked('{"prompt":"a"}')).status).toBe(200);
  });

  it('answers unknown paths and methods in the envelope', async () => {
    const route = await call('/v1/nothing');
    expect([route.status, route.body.error?.code]).toEqual([404, 'not_found']);
    const method = await call('/v1/completions');
    expect([method.status, method.headers.get('allow')]).toEqual([405, 'POST']);
    const models = await call('/v1/models', { method: 'DELETE' });
    expect([models.status, models.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect(models.body.error?.message).toContain('DELETE');
  });

  it('answers what is no HTTP in the envelope', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write('this is not http\r\n\r\n');
    const answer = await readText(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '').error.type).toBe('invalid_request_error');
  });

  it('answers an unusable Host header in the envelope', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.write('GET /health HTTP/1.1\r\nhost: a b\r\nconnection: close\r\n\r\n');
    const answer = await readText(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"type":"invalid_request_error"');
  });

  it('leaves the server whole', async () => {
    expect((await post({ prompt: 'a', max_tokens: 8, ignore_eos: true })).body.usage).toEqual({
      prompt_tokens: 1,
      completion_tokens: 8,
      total_tokens: 9,
      prompt_tokens_details: { cached_tokens: 0 },
    });
    expect(server.engine.stats()).toMatchObject({ leasedSlots: 0, waiting: 0, running: 0 });
    expect(server.failures).toEqual([]);
  });
});

/** A request whose body announces no length. */
function sendChunked(body: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      `${server.url}/v1/completions`,
      { method: 'POST', headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' } },
      response => {
        readText(response).then(text => resolve({ status: response.statusCode ?? 0, body: text }), reject);
      },
    );
    outgoing.on('error', reject);
    for (let start = 0; start < body.length; start += 16_384)
      outgoing.write(body.slice(start, start + 16_384));
    outgoing.end();
  });
}
