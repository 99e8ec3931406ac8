/** One abort controller that fires when a request's client goes away or when the server ends it. */
import { setMaxListeners } from 'node:events';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { CalmError } from '../errors.js';
import type { Lifecycle } from './lifecycle.js';

/** What Hono's context carries: under Node the socket's side of the request, which an in-process call lacks. */
export interface ServerEnv {
  Bindings: Partial<HttpBindings>;
  Variables: { requestId: string };
}

/**
 * The controller of all work that one request causes. Its reason is a CalmError: `aborted` where the client left,
 * `shutting_down` where the server ends it. It listens to the request's own signal and to the socket, because each
 * has cases in which it is the only one that tells.
 */
export function controlRequest(context: Context<ServerEnv>, lifecycle: Lifecycle): AbortController {
  const controller = new AbortController();
  // Every choice of the request listens to it, and Node would take the eleventh for a leak.
  setMaxListeners(0, controller.signal);
  const leave = (): void => controller.abort(clientLeft());
  const end = (): void => controller.abort(lifecycle.ending.reason);
  const { signal: clientSignal } = context.req.raw;
  const outgoing = context.env?.outgoing;
  clientSignal.addEventListener('abort', leave, { once: true });
  lifecycle.ending.addEventListener('abort', end, { once: true });
  outgoing?.once('close', () => {
    lifecycle.ending.removeEventListener('abort', end);
    if (!outgoing.writableFinished) leave();
  });
  if (clientSignal.aborted || outgoing?.destroyed) leave();
  if (lifecycle.ending.aborted) end();
  return controller;
}

/** What the work of a request is aborted with when its client goes away. */
export function clientLeft(): CalmError {
  return new CalmError('aborted', 'The client closed the connection.');
}
