/** One abort controller that fires when a request's client goes away or when the server ends it. */
import { setMaxListeners } from 'node:events';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { CalmError, type ErrorCode } from '../../errors.js';
import type { RequestRecord } from '../telemetry/request-record.js';
import type { Lifecycle } from './lifecycle.js';
import type { RequestMonitor } from './request-monitor.js';

/** What Hono's context carries: under Node the socket's side of the request, which an in-process call lacks. */
export interface ServerEnv {
  Bindings: Partial<HttpBindings>;
  Variables: {
    requestId: string;
    record: RequestRecord;
    monitor: RequestMonitor;
    /** Time that a request may take in all; null for any. */
    timeLimitMs: number | null;
  };
}

/**
 * The controller of all work that one request causes. Its reason is a CalmError: `aborted` where the client left,
 * `client_too_slow` where it stopped reading, `request_timeout` where its time is over, `shutting_down` where the
 * server ends it. It listens to the request's own signal and to the socket, because each has cases in which it is the
 * only one that tells.
 */
export function controlRequest(context: Context<ServerEnv>, lifecycle: Lifecycle): AbortController {
  const controller = new AbortController();
  // Every choice of the request listens to it, and Node would take the eleventh for a leak.
  setMaxListeners(0, controller.signal);
  const leave = (): void => controller.abort(clientLeft());
  const end = (): void => controller.abort(lifecycle.ending.reason);
  const timer = limitTime(controller, context.get('timeLimitMs'));
  const { signal: clientSignal } = context.req.raw;
  const outgoing = context.env?.outgoing;
  clientSignal.addEventListener('abort', leave, { once: true });
  lifecycle.ending.addEventListener('abort', end, { once: true });
  outgoing?.once('close', () => {
    clearTimeout(timer);
    // Node keeps a request's signal, and all that its listeners know, for as long as it has one.
    clientSignal.removeEventListener('abort', leave);
    lifecycle.ending.removeEventListener('abort', end);
    if (!outgoing.writableFinished) leave();
  });
  if (clientSignal.aborted || outgoing?.destroyed) leave();
  if (lifecycle.ending.aborted) end();
  context.get('monitor').follow(context.get('record'), controller);
  controller.signal.addEventListener('abort', () => {
    const error = codeOf(controller.signal.reason);
    if (error !== null) context.get('record').error ??= error;
    // What it was sent is lost on a reader who does not read, and so would be an error event.
    if (error === 'client_too_slow') outgoing?.destroy();
  });
  return controller;
}

function limitTime(controller: AbortController, limitMs: number | null): NodeJS.Timeout | undefined {
  if (limitMs === null) return undefined;
  const expire = (): void => controller.abort(timedOut(limitMs));
  return setTimeout(expire, limitMs).unref();
}

/** Work that is over is aborted too, so that nothing of it stays; that reason is no error of ours. */
function codeOf(reason: unknown): ErrorCode | null {
  return reason instanceof CalmError ? reason.code : null;
}

/** What the work of a request is aborted with when its client goes away. */
export function clientLeft(): CalmError {
  return new CalmError('aborted', 'The client closed the connection.');
}

function timedOut(limitMs: number): CalmError {
  return new CalmError(
    'request_timeout',
    `The request took longer than the ${limitMs / 1000} s that this server allows. Ask for fewer tokens at a time.`,
  );
}
