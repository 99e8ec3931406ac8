/**
 * A client that costs as little as a client can, since it shares the machine with the server: a socket, the request as
 * bytes, and events counted in what comes back. The last event's usage says whether the count of tokens is right.
 */
import { connect } from 'node:net';

const eventStart = Buffer.from('data: {');

/**
 * One text over HTTP; `window` hears of its chunks and its end.
 *
 * @param {AbortSignal} [signal] ends the text early
 * @throws Error where the answer is not 200, ends early by itself, or has another number of tokens than was asked for
 */
export function stream({ port, body, tokens }, index, window, signal) {
  const text = JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } });
  const head = [
    'POST /v1/completions HTTP/1.1',
    `host: 127.0.0.1:${port}`,
    'content-type: application/json',
    'connection: close',
    `content-length: ${Buffer.byteLength(text)}`,
  ];
  return new Promise((resolve, reject) => {
    let isFirst = true;
    let tail = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(`${head.join('\r\n')}\r\n\r\n${text}`));
    socket.setNoDelay(true);
    socket.on('data', bytes => {
      if (isFirst && !bytes.subarray(0, 12).equals(Buffer.from('HTTP/1.1 200'))) {
        reject(new Error(`the server answered: ${bytes.toString().slice(0, 400)}`));
        socket.destroy();
      }
      isFirst = false;
      const events = countEvents(bytes);
      if (events > 0) window.chunks(index, events);
      tail = (tail + bytes.toString('latin1')).slice(-1000);
    });
    socket.once('error', reject);
    signal?.addEventListener('abort', () => socket.destroy());
    socket.once('close', () => {
      if (signal?.aborted) return resolve();
      const counted = /"completion_tokens":(\d+)/.exec(tail)?.[1];
      if (Number(counted) !== tokens) reject(new Error(`${counted} tokens instead of ${tokens}: ...${tail}`));
      window.ended();
      resolve();
    });
  });
}

/** Events that begin in these bytes. One write of the server is one event, so none is cut in practice. */
function countEvents(bytes) {
  let count = 0;
  for (let at = bytes.indexOf(eventStart); at >= 0; at = bytes.indexOf(eventStart, at + 7)) count += 1;
  return count;
}
