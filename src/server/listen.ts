/** Puts the app on a socket, and takes it off again without cutting off those who still read. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { getRequestListener } from '@hono/node-server';
import { CalmError } from '../errors.js';
import { createApp } from './app.js';
import { describeError } from './http/errors.js';
import { openServer, type SocketOptions } from './http/open-server.js';
import { addressOf } from './http/server-address.js';
import { UnusedConnections } from './http/unused-connections.js';
import { createLoadingApp, type LoadingContext } from './loading-app.js';
import type { Lifecycle } from './requests/lifecycle.js';
import type { ServerContext } from './server-context.js';

export interface ListenOptions extends SocketOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
}

export interface RunningServer {
  readonly port: number;
  /** Base URL without a slash at the end. */
  readonly url: string;
  /**
   * Refuses requests from now on, and connections a moment later, gives running requests `drainMs` to finish, ends the
   * rest with an error, and resolves when every connection is closed. May be called again to shorten the time.
   */
  close(drainMs: number): Promise<void>;
}

/** A server that answers that it is loading until it is given what to serve. */
export interface LoadingServer extends RunningServer {
  /** Begins to take requests. */
  serve(context: ServerContext): void;
}

/** Time for connections that are on their way while the server begins to close. */
const arrivalMs = 100;

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
    url: addressOf({ host: options.host, port, isTls: options.tls !== undefined }),
    serve: context => {
      lifecycle = context.lifecycle;
      answer = requestListener(createApp(context));
    },
    close: async drainMs => {
      lifecycle?.drain();
      const beganMs = performance.now();
      await acceptWaiting(server, drainMs);
      unused.close();
      await close(server, closed, lifecycle, Math.max(0, drainMs - (performance.now() - beganMs)));
    },
  };
}

function requestListener(app: { readonly fetch: Parameters<typeof getRequestListener>[0] }) {
  return getRequestListener(app.fetch, { errorHandler: refuseUnreadable });
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

/**
 * Takes the connections that the kernel has made already: with the listening socket they would be reset, and so they get
 * their 503. Node takes one in a turn of its event loop; a turn without one says that none waits.
 */
async function acceptWaiting(server: Server, limitMs: number): Promise<void> {
  if (limitMs === 0 || !server.listening) return;
  const endMs = performance.now() + limitMs;
  await delay(Math.min(arrivalMs, limitMs));
  let hasAccepted = true;
  const note = (): void => {
    hasAccepted = true;
  };
  server.on('connection', note);
  while (hasAccepted && performance.now() < endMs) {
    hasAccepted = false;
    await nextTurn();
  }
  server.off('connection', note);
}

/** @param closed settles when the last connection is gone, whether or not that was before */
async function close(
  server: Server,
  closed: Promise<unknown>,
  lifecycle: Lifecycle | undefined,
  drainMs: number,
): Promise<void> {
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
