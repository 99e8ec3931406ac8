/** Node's server, over TLS or without, with the same limits against slow clients and the same words for what is no HTTP. */
import { createServer, type RequestListener, type Server, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { OneWriteResponse } from './one-write-response.js';
import { dropStalledReaders } from './stalled-readers.js';

/** How long clients may take; each has a default. Milliseconds. */
export interface SocketTimeouts {
  /** Time that an idle connection is kept: longer than in the pools of clients and proxies, which then close first. */
  readonly keepAliveTimeoutMs?: number;
  /** Time for the headers of a request, against clients that dribble them; over TLS for the handshake too. */
  readonly headersTimeoutMs?: number;
  /** Time for a whole request, headers and body. */
  readonly receiveTimeoutMs?: number;
  /** Time in which a client must take some of what waits for it. */
  readonly stalledReaderTimeoutMs?: number;
}

/** Who the server is, in PEM form. */
export interface TlsIdentity {
  /** The server's certificate, and those of its issuers after it. */
  readonly cert: string;
  /** The certificate's private key, without a passphrase. */
  readonly key: string;
}

export interface SocketOptions extends SocketTimeouts {
  /** With it the server speaks HTTPS only, without it HTTP only. */
  readonly tls?: TlsIdentity;
}

const defaultTimeouts: Required<SocketTimeouts> = {
  keepAliveTimeoutMs: 75_000,
  headersTimeoutMs: 20_000,
  receiveTimeoutMs: 120_000,
  stalledReaderTimeoutMs: 60_000,
};
/** How often Node looks for requests that are late, or sooner where their time is shorter. */
const lateCheckIntervalMs = 5_000;

/** A server that does not listen yet. */
export function openServer(listener: RequestListener, { tls, ...options }: SocketOptions): Server {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const timeouts: Required<SocketTimeouts> = { ...defaultTimeouts, ...Object.fromEntries(given) };
  const { keepAliveTimeoutMs, headersTimeoutMs, receiveTimeoutMs, stalledReaderTimeoutMs } = timeouts;
  const serverOptions = {
    ServerResponse: OneWriteResponse,
    keepAliveTimeout: keepAliveTimeoutMs,
    headersTimeout: Math.min(headersTimeoutMs, receiveTimeoutMs),
    requestTimeout: receiveTimeoutMs,
    connectionsCheckingInterval: Math.min(lateCheckIntervalMs, headersTimeoutMs, receiveTimeoutMs),
    // Node's own choice for HTTP, and not for HTTPS: events of a stream must not wait for each other.
    noDelay: true,
  };
  const server = tls
    ? createTlsServer({ ...serverOptions, ...tls, handshakeTimeout: headersTimeoutMs }, listener)
    : createServer(serverOptions, listener);
  server.on('clientError', refuseMalformed);
  // A connection that turns idle after `close` would otherwise keep the server open until its timeout.
  server.on('request', (_request, response) => {
    response.once('close', () => {
      if (!server.listening) setImmediate(() => server.closeIdleConnections());
    });
  });
  dropStalledReaders(server, stalledReaderTimeoutMs);
  return server;
}

const malformedStatus: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** What is no HTTP gets the same envelope from here, but not where no connection was made that could carry it. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  const code = error.code ?? '';
  if (!socket.writable || code === 'ECONNRESET' || /^ERR_(SSL|TLS|OSSL)_/.test(code)) {
    socket.destroy();
    return;
  }
  const status = malformedStatus[code] ?? 400;
  const message = `The request is not HTTP that this server can read: ${STATUS_CODES[status]}.`;
  const body = JSON.stringify({ error: { message, type: 'invalid_request_error', param: null, code: null } });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
