import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { HttpConnections } from '../client/exchange.js';
import { readServerVersion } from './server-version.js';

async function versionOf(status: number, body: string, path = '/version'): Promise<string | null> {
  const server = createServer(({ url }, response) =>
    url === path ? response.writeHead(status).end(body) : response.writeHead(404).end('{}'),
  );
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  using connections = new HttpConnections();
  try {
    const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return await readServerVersion({ baseUrl, apiKey: null }, connections, 5000);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

it.each([
  [
    200,
    '{"version":"0.1.0","onnxruntime":"1.30.0","node":"v20.1.0"}',
    '0.1.0, ONNX Runtime 1.30.0, Node v20.1.0',
  ],
  [200, '{"version":"0.9.2"}', '0.9.2'],
  [200, '{"version":"0.9.2","onnxruntime":7}', '0.9.2'],
  [200, '{"version":9}', null],
  [200, 'no JSON', null],
  [404, '{"version":"0.9.2"}', null],
])('status %d with %s is told as %s', async (status, body, told) => {
  expect(await versionOf(status, body)).toBe(told);
});

it.each([
  ['{"total_slots":1,"build_info":"b7000-0123abc"}', 'llama.cpp b7000-0123abc'],
  ['{"total_slots":1}', null],
])('properties %s are told as %s where there is no version', async (body, told) => {
  expect(await versionOf(200, body, '/props')).toBe(told);
});

it('is left out where nothing listens', async () => {
  using connections = new HttpConnections();
  expect(
    await readServerVersion({ baseUrl: 'http://127.0.0.1:9', apiKey: null }, connections, 2000),
  ).toBeNull();
});
