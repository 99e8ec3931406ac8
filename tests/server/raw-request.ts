/** A completion request on a plain socket: what comes back, and whether anybody reads it, is the test's business. */
import { connect, type Socket } from 'node:net';

/** Connects and writes the whole request. */
export function openRawRequest(server: { readonly url: string }, body: object): Socket {
  const socket = openRawSocket(server);
  const json = JSON.stringify(body);
  socket.write(
    'POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n' +
      `content-length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
  );
  return socket;
}

/** Connects and writes nothing. */
export function openRawSocket(server: { readonly url: string }): Socket {
  return connect(Number(new URL(server.url).port), '127.0.0.1');
}

/** All that the server sends until it closes or resets the connection. */
export async function readAll(socket: Socket): Promise<string> {
  const parts: Buffer[] = [];
  socket.on('error', () => {});
  socket.on('data', part => parts.push(part));
  await new Promise(resolve => socket.once('close', resolve));
  return Buffer.concat(parts).toString();
}
