/** Puts the app on a socket, and takes it off again without cutting off those who still read. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { CalmError } from '../errors.js';
import { createApp } from './app.js';
import { describeError } from './errors.js';
import type { Lifecycle } from './lifecycle.js';
import { createLoadingApp, type LoadingContext } from './loading-app.js';
import { OneWriteResponse } from './one-write-response.js';
import type { ServerContext } from './server-context.js';
import { dropStalledReaders } from './stalled-readers.js';
import { UnusedConnections } from './unused-connections.js';

/** How long clients may take; each has a default. Milliseconds. */
export interface SocketTimeouts {
  /** Time that an idle connection is kept: longer than in the pools of clients and proxies, which then close first. */
  readonly keepAliveTimeoutMs?: number;
  /** Time for the headers of a request, against clients that dribble them. */
  readonly headersTimeoutMs?: number;
  /** Time for a whole request, headers and body. */
  readonly receiveTimeoutMs?: number;
  /** Time in which a client must take some of what waits for it. */
  readonly stalledReaderTimeoutMs?: number;
}

export interface ListenOptions extends SocketTimeouts {
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
   * and resolves when every connection is closed. May be called again to shorten the time.
   */
  close(drainMs: number): Promise<void>;
}

/** A server that answers that it is loading until it is given what to serve. */
export interface LoadingServer extends RunningServer {
  /** Begins to take requests. */
  serve(context: ServerContext): void;
}

const defaultTimeouts: Required<SocketTimeouts> = {
  keepAliveTimeoutMs: 75_000,
  headersTimeoutMs: 20_000,
  receiveTimeoutMs: 120_000,
  stalledReaderTimeoutMs: 60_000,
};
/** How often Node looks for requests that are late, or sooner where their time is shorter. */
const lateCheckIntervalMs = 5_000;
/** Time for the last error events to reach their readers before the sockets are closed. */
const farewellMs = 1_000;

/** @throws CalmError port_in_use, or bad_usage for an address that cannot be listened on */
export async function listen(context: ServerContext, options: ListenOptions): Promise<RunningServer> {
  const loading = await listenWhileLoading(options);
  loading.serve(context);
  return loading;
}

/**
 * Takes the address before there is anything to serve, so that a port in use is told at once and probes have an answer.
 *
 * @throws CalmError port_in_use, or bad_usage for an address that cannot be listened on
 */
export async function listenWhileLoading(
  options: ListenOptions,
  loading: LoadingContext = {},
): Promise<LoadingServer> {
  let lifecycle: Lifecycle | undefined;
  let answer = requestListener(createLoadingApp(loading));
  const server = openServer((request, response) => {
    if (hasSeveralHosts(request)) refuseSeveralHosts(response);
    else answer(request, response);
  }, options);
  const unused = new UnusedConnections(server);
  await bind(server, options);
  const closed = new Promise(resolve => server.once('close', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://${hostInUrl(options.host)}:${port}`,
    serve: context => {
      lifecycle = context.lifecycle;
      answer = requestListener(createApp(context));
    },
    close: drainMs => {
      unused.close();
      return close(server, closed, lifecycle, drainMs);
    },
  };
}

function requestListener(app: { readonly fetch: Parameters<typeof getRequestListener>[0] }) {
  return getRequestListener(app.fetch, { errorHandler: refuseUnreadable });
}

function openServer(listener: RequestListener, options: SocketTimeouts): Server {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const timeouts: Required<SocketTimeouts> = { ...defaultTimeouts, ...Object.fromEntries(given) };
  const { keepAliveTimeoutMs, headersTimeoutMs, receiveTimeoutMs, stalledReaderTimeoutMs } = timeouts;
  const server = createServer(
    {
      ServerResponse: OneWriteResponse,
      keepAliveTimeout: keepAliveTimeoutMs,
      headersTimeout: Math.min(headersTimeoutMs, receiveTimeoutMs),
      requestTimeout: receiveTimeoutMs,
      connectionsCheckingInterval: Math.min(lateCheckIntervalMs, headersTimeoutMs, receiveTimeoutMs),
    },
    listener,
  );
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

/** @param closed settles when the last connection is gone, whether or not that was before */
async function close(
  server: Server,
  closed: Promise<unknown>,
  lifecycle: Lifecycle | undefined,
  drainMs: number,
): Promise<void> {
  lifecycle?.drain();
  if (server.listening) server.close();
  server.closeIdleConnections();
  const endTimer = setTimeout(() => lifecycle?.end(), drainMs);
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

/** Node takes the first, and a proxy in front may have taken another (RFC 9112, section 3.2). */
function hasSeveralHosts({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host').length > 1;
}

function refuseSeveralHosts(response: ServerResponse): void {
  const error = new CalmError('invalid_request', 'The request has more than one `Host` header.');
  const { status, body } = describeError(error);
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify(body));
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
