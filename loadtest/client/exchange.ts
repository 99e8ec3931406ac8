/** One HTTP exchange over pooled connections, with the time limit and every way to fail told apart. */
import http from 'node:http';
import https from 'node:https';
import { describeConnectionError, isClosed, timedOut } from './connection-failure.js';
import { RequestFailure } from './request-failure.js';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** From the call to the last byte of the answer. */
  readonly timeoutMs: number;
}

export interface HttpListener {
  /** Status and media type, before any byte of the body. What it throws ends the exchange. */
  head(status: number, contentType: string): void;
  /** Called in the same turn in which the bytes arrived, so that the time of the call is the time of arrival. */
  bytes(bytes: Buffer): void;
}

/** Connections that stay open between requests. One for each target, so that targets share nothing. */
export class HttpConnections implements Disposable {
  readonly #plain = new http.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });
  readonly #secure = new https.Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

  open(url: URL, options: http.RequestOptions): http.ClientRequest {
    return url.protocol === 'https:'
      ? https.request(url, { ...options, agent: this.#secure })
      : http.request(url, { ...options, agent: this.#plain });
  }

  [Symbol.dispose](): void {
    this.#plain.destroy();
    this.#secure.destroy();
  }
}

/**
 * Resolves when the whole answer has been heard.
 *
 * @throws RequestFailure unreachable, dropped, malformed or timed_out; or what the listener threw
 */
export async function exchange(
  connections: HttpConnections,
  request: HttpRequest,
  listener: HttpListener,
): Promise<void> {
  for (;;) {
    try {
      return await attempt(connections, request, listener);
    } catch (error) {
      // The server closed an idle connection while this request was on its way: no answer is lost, and
      // https://nodejs.org/api/http.html#requestreusedsocket tells clients to send it again. A fresh connection
      // is never stale, so this ends.
      if (!(error instanceof StaleConnection)) throw error;
    }
  }
}

class StaleConnection extends RequestFailure {}

function attempt(connections: HttpConnections, request: HttpRequest, listener: HttpListener): Promise<void> {
  return new Promise((resolve, reject) => {
    let hasAnswer = false;
    const call = connections.open(request.url, {
      method: request.method,
      headers: {
        ...request.headers,
        ...(request.body === undefined ? {} : { 'content-length': Buffer.byteLength(request.body) }),
      },
    });
    const timer = setTimeout(() => call.destroy(timedOut(request.timeoutMs, hasAnswer)), request.timeoutMs);
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      reject(describeFailure(error, request.url, hasAnswer, call.reusedSocket));
    };
    /** Runs a listener; what it throws becomes the failure, and the connection ends so that the server stops too. */
    const hear = (listen: () => void): void => {
      try {
        listen();
      } catch (error) {
        fail(error);
        call.destroy();
      }
    };
    call.on('error', fail);
    call.on('response', response => {
      hasAnswer = true;
      response.on('error', fail);
      response.on('data', (bytes: Buffer) => hear(() => listener.bytes(bytes)));
      response.on('end', () => {
        clearTimeout(timer);
        resolve();
      });
      hear(() => listener.head(response.statusCode ?? 0, response.headers['content-type'] ?? ''));
    });
    call.end(request.body);
  });
}

function describeFailure(error: unknown, url: URL, hasAnswer: boolean, wasReused: boolean): unknown {
  if (error instanceof RequestFailure || !(error instanceof Error)) return error;
  if (isClosed(error) && !hasAnswer && wasReused) {
    return new StaleConnection('dropped', 'An idle connection was closed.');
  }
  return describeConnectionError(error, url, hasAnswer);
}
