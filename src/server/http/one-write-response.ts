/** Node's response, with one write a chunk of the body where Node makes four. */
import { type IncomingMessage, ServerResponse } from 'node:http';

type WriteCallback = (error: Error | null | undefined) => void;

/**
 * Node hands a chunk's length, a line break, its bytes and another line break to the kernel as a vector of four; for
 * the short chunks of an event stream that costs half as much again as one buffer. The first chunk goes Node's way,
 * with the headers.
 */
export class OneWriteResponse<
  Request extends IncomingMessage = IncomingMessage,
> extends ServerResponse<Request> {
  #hasBegun = false;

  override write(
    chunk: unknown,
    encoding?: BufferEncoding | WriteCallback,
    callback?: WriteCallback,
  ): boolean {
    const isLater = this.#hasBegun;
    this.#hasBegun = true;
    const done = typeof encoding === 'function' ? encoding : callback;
    if (!isLater || !this.chunkedEncoding || !(chunk instanceof Uint8Array) || chunk.byteLength === 0) {
      return typeof encoding === 'string' ? super.write(chunk, encoding, done) : super.write(chunk, done);
    }
    this.chunkedEncoding = false;
    try {
      return super.write(frame(chunk), done);
    } finally {
      this.chunkedEncoding = true;
    }
  }
}

/** A chunk of RFC 9112, section 7.1. */
function frame(chunk: Uint8Array): Buffer {
  const length = chunk.byteLength.toString(16);
  const framed = Buffer.allocUnsafe(length.length + 4 + chunk.byteLength);
  framed.write(`${length}\r\n`, 0, 'latin1');
  framed.set(chunk, length.length + 2);
  framed.write('\r\n', length.length + 2 + chunk.byteLength, 'latin1');
  return framed;
}
