import { createServer, request } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { OneWriteResponse } from './one-write-response.js';

const parts = ['data: a\n\n', Buffer.from('data: é\n\n'), Buffer.from('x'.repeat(70_000)), 'end'];

/** Answers every request with the parts, and tells the sizes of the buffers that the socket was given at once. */
async function withServer<Result>(
  use: (port: number, vectors: number[]) => Promise<Result>,
): Promise<Result> {
  const vectors: number[] = [];
  const server = createServer({ ServerResponse: OneWriteResponse }, async (_, response) => {
    const socket = response.socket as Socket;
    const writev = socket._writev?.bind(socket);
    socket._writev = (chunks, done) => {
      vectors.push(chunks.length);
      writev?.(chunks, done);
    };
    for (const part of parts) {
      await new Promise<void>(resolve => {
        response.write(part, () => resolve());
      });
    }
    response.end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use((server.address() as AddressInfo).port, vectors);
  } finally {
    server.close();
  }
}

it('sends the same body as chunks that a client understands, and bytes after the first in one buffer each', async () => {
  await withServer(async (port, vectors) => {
    const body = await new Promise<string>((resolve, reject) => {
      request({ port, host: '127.0.0.1', agent: false }, response => {
        const read: Buffer[] = [];
        response.on('data', bytes => read.push(bytes));
        response.once('end', () => resolve(Buffer.concat(read).toString()));
        response.once('error', reject);
      })
        .once('error', reject)
        .end();
    });
    expect(body).toBe(parts.map(String).join(''));
    // The headers with the first part, and the last one, which is a string; Buffers go alone.
    expect(vectors).toHaveLength(2);
  });
});

it('frames nothing for a client of HTTP/1.0, which knows no chunks', async () => {
  await withServer(async port => {
    const text = await new Promise<string>((resolve, reject) => {
      const read: Buffer[] = [];
      const socket = connect(port, '127.0.0.1', () => socket.write('GET / HTTP/1.0\r\n\r\n'));
      socket.on('data', bytes => read.push(bytes));
      socket.once('close', () => resolve(Buffer.concat(read).toString()));
      socket.once('error', reject);
    });
    expect(text.slice(text.indexOf('\r\n\r\n') + 4)).toBe(parts.map(String).join(''));
  });
});
