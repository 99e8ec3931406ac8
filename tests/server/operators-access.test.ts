/** API keys, CORS and probes: who may call, from which page, and what a load balancer hears. */
import { describe, expect, it } from 'vitest';
import { type FakeServer, startFakeServer } from './start-server.js';

const body = JSON.stringify({ model: 'fake', prompt: 'a', max_tokens: 4 });

function complete(server: FakeServer, headers: Record<string, string>, path = '/v1/completions') {
  return fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
}

describe('a server with API keys', () => {
  const apiKeys = ['first-key', 'second-key'];

  it.each([
    ['Authorization', { authorization: 'Bearer first-key' }],
    ['Authorization in other letters', { authorization: 'bearer second-key' }],
    ['X-Api-Key', { 'x-api-key': 'second-key' }],
  ])('takes each of them as %s', async (_, headers) => {
    await using server = await startFakeServer({ apiKeys });
    expect((await complete(server, headers)).status).toBe(200);
  });

  it.each<[string, Record<string, string>]>([
    ['no key', {}],
    ['an unknown key', { authorization: 'Bearer third-key' }],
    ['the beginning of a key', { authorization: 'Bearer first' }],
    ['a key and more', { authorization: 'Bearer first-key-' }],
    ['an empty key', { authorization: 'Bearer ' }],
    ['an empty X-Api-Key', { 'x-api-key': '' }],
    ['another scheme', { authorization: 'Basic first-key' }],
    ['a bare key', { authorization: 'first-key' }],
  ])('refuses %s with 401 in the envelope', async (_, headers) => {
    await using server = await startFakeServer({ apiKeys });
    const response = await complete(server, headers);
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await response.json()).toEqual({
      error: {
        message: expect.stringMatching(/API key/),
        type: 'authentication_error',
        param: null,
        code: 'invalid_api_key',
      },
    });
    expect(server.engine.stats().submitted).toBe(0);
  });

  it('throws AuthenticationError in the official client, and works with the key', async () => {
    await using server = await startFakeServer({ apiKeys });
    const refused = await server.client.models.list().catch(error => error);
    expect(refused).toMatchObject({ status: 401, code: 'invalid_api_key' });
    expect(refused.constructor.name).toBe('AuthenticationError');
    const models = await server.client.withOptions({ apiKey: 'second-key' }).models.list();
    expect(models.data.map(({ id }) => id)).toEqual(['fake']);
  });

  it.each([
    'POST /completions',
    'POST /v1/completions/',
    'GET /v1/models',
    'GET /models',
    'GET /models/fake',
    'GET /v1/models/health',
    'GET /metrics',
    'GET //health',
    'GET /health/../v1/models',
    'GET /no-such-route',
    'DELETE /v1/models',
  ])('protects %s', async call => {
    await using server = await startFakeServer({ apiKeys });
    const [method, path] = call.split(' ') as [string, string];
    const init = method === 'POST' ? { body, headers: { 'content-type': 'application/json' } } : {};
    expect((await fetch(server.url + path, { method, ...init })).status).toBe(401);
  });

  it.each(['/health', '/health/', '/v1/health', '/livez', '/readyz'])('leaves %s open', async path => {
    await using server = await startFakeServer({ apiKeys });
    expect((await fetch(server.url + path)).status).toBe(200);
  });
});

describe('a server without API keys', () => {
  it.each<[string, Record<string, string>]>([
    ['any key', { authorization: 'Bearer whatever' }],
    ['an empty one', { authorization: 'Bearer ' }],
    ['none', {}],
  ])('takes %s', async (_, headers) => {
    await using server = await startFakeServer();
    expect((await complete(server, headers)).status).toBe(200);
  });
});

describe('a web page', () => {
  const origin = 'https://chat.example.org';

  it('may call from anywhere, with any header and without a key for its preflight', async () => {
    await using server = await startFakeServer({ apiKeys: ['key'] });
    const response = await fetch(`${server.url}/v1/completions`, {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type,x-stainless-os',
      },
    });
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    expect(response.headers.get('access-control-allow-methods')).toContain('POST');
    expect(response.headers.get('access-control-allow-headers')).toBe(
      'authorization,content-type,x-stainless-os',
    );
    expect(response.headers.get('access-control-allow-credentials')).toBeNull();
  });

  it('reads answers, event streams and every kind of error', async () => {
    await using server = await startFakeServer({ apiKeys: ['key'] });
    const call = (path: string, method: string, key: string, json?: string) =>
      fetch(server.url + path, {
        method,
        headers: { origin, 'content-type': 'application/json', authorization: `Bearer ${key}` },
        ...(json === undefined ? {} : { body: json }),
      });
    const responses = await Promise.all([
      call('/v1/models', 'GET', 'key'),
      call('/v1/completions', 'POST', 'key', body.replace('}', ',"stream":true}')),
      call('/v1/completions', 'POST', 'key', '{'),
      call('/v1/completions', 'PUT', 'key', '{}'),
      call('/nowhere', 'GET', 'key'),
      call('/v1/models', 'GET', 'wrong'),
    ]);
    expect(responses.map(({ status }) => status)).toEqual([200, 200, 400, 405, 404, 401]);
    for (const { headers } of responses) {
      expect(headers.get('access-control-allow-origin')).toBe('*');
      expect(headers.get('access-control-expose-headers')).toContain('x-request-id');
    }
  });

  it('may call only from the origins that are named, where some are', async () => {
    await using server = await startFakeServer({ allowedOrigins: [origin, 'http://localhost:3000'] });
    const allowed = await fetch(`${server.url}/v1/models`, { headers: { origin } });
    expect(allowed.headers.get('access-control-allow-origin')).toBe(origin);
    expect(allowed.headers.get('vary')).toMatch(/origin/i);
    const other = await fetch(`${server.url}/v1/models`, { headers: { origin: 'https://evil.example.org' } });
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('probes', () => {
  it('tell a server that drains from one that works and one that is dead', async () => {
    await using server = await startFakeServer();
    const statuses = async () =>
      Promise.all(
        ['/health', '/readyz', '/livez'].map(async path => (await fetch(server.url + path)).status),
      );
    expect(await statuses()).toEqual([200, 200, 200]);
    server.lifecycle.drain();
    expect(await statuses()).toEqual([503, 503, 200]);
  });
});
