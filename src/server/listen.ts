/** Puts the app on a socket, and takes it off again without cutting off those who still read. */
import { createServer, type Server, STATUS_CODES } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { CalmError } from '../errors.js';
import { createApp } from './app.js';
import { describeError } from './errors.js';
import type { ServerContext } from './server-context.js';

export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

export interface RunningServer {
  readonly port: number;
  /** Base URL without a slash at the end. */
  readonly url: string;
  /**
   * Takes no more connections and requests, gives running requests `drainMs` to finish, ends the rest with an error,
   * and resolves when every connection is closed.
   */
  close(drainMs: number): Promise<void>;
}

/** Longer than the idle time of the connection pools of clients and proxies, which then close first. */
const keepAliveTimeoutMs = 75_000;
/** Node requires it above the keep-alive timeout; it also bounds clients that dribble their headers. */
const headersTimeoutMs = 80_000;
/** Time for the last error events to reach their readers before the sockets are closed. */
const farewellMs = 1_000;

/** @throws CalmError port_in_use, or bad_usage for an address that cannot be listened on */
export async function listen(context: ServerContext, options: ListenOptions): Promise<RunningServer> {
  const app = createApp(context);
  const server = createServer(getRequestListener(app.fetch, { errorHandler: refuseUnreadable }));
  server.keepAliveTimeout = keepAliveTimeoutMs;
  server.headersTimeout = headersTimeoutMs;
  server.on('clientError', refuseMalformed);
  // A connection that turns idle after `close` would otherwise keep the server open until its timeout.
  server.on('request', (_request, response) => {
    response.once('close', () => {
      if (!server.listening) setImmediate(() => server.closeIdleConnections());
    });
  });
  await bind(server, options);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${hostInUrl(options.host)}:${port}`,
    close: drainMs => close(server, context, drainMs),
  };
}

/** Who listens on every address is reached under the loopback one. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function bind(server: Server, { host, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(describeBindError(error, host, port)));
    server.listen(port, host, resolve);
  });
}

function describeBindError(error: NodeJS.ErrnoException, host: string, port: number): CalmError {
  if (error.code === 'EADDRINUSE') {
    return new CalmError(
      'port_in_use',
      `Port ${port} on ${host} is in use. Stop the other program or take another port with --port.`,
      { cause: error },
    );
  }
  const reason = error.code === 'EACCES' ? 'it needs more rights; ports from 1024 up do not' : error.message;
  return new CalmError('bad_usage', `Cannot listen on ${host} port ${port}: ${reason}.`, { cause: error });
}

async function close(server: Server, { lifecycle }: ServerContext, drainMs: number): Promise<void> {
  lifecycle.drain();
  const closed = new Promise<void>(resolve => {
    server.close(() => resolve());
  });
  server.closeIdleConnections();
  const endTimer = setTimeout(() => lifecycle.end(), drainMs);
  const closeTimer = setTimeout(() => server.closeAllConnections(), drainMs + farewellMs);
  await closed;
  clearTimeout(endTimer);
  clearTimeout(closeTimer);
}

/** A request that cannot be turned into a URL and headers never reaches the app. */
function refuseUnreadable(): Response {
  const error = new CalmError('invalid_request', 'The request has an unusable `Host` header or path.');
  const { status, body } = describeError(error);
  return Response.json(body, { status });
}

const malformedStatus: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** What is no HTTP gets the same envelope from here. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = malformedStatus[error.code ?? ''] ?? 400;
  const message = `The request is not HTTP that this server can read: ${STATUS_CODES[status]}.`;
  const body = JSON.stringify({ error: { message, type: 'invalid_request_error', param: null, code: null } });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
