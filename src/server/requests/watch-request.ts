/** The first middleware: gives a request its id and its record, and books it when its answer is out. */
import { randomUUID } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { CalmError } from '../../errors.js';
import type { RequestMonitor } from './request-monitor.js';
import type { ServerEnv } from './request-signal.js';

/** The client left before there was a status; web servers write this number into their logs. */
const clientLeftStatus = 499;

/** @param timeLimitMs time that a request may take in all; null for any */
export function watchRequests(
  monitor: RequestMonitor,
  timeLimitMs: number | null,
): MiddlewareHandler<ServerEnv> {
  return async (context, next) => {
    const requestId = readRequestId(context.req.header('x-request-id'));
    const { method, path } = context.req;
    const traceId = readTraceId(context.req.header('traceparent'));
    const record = monitor.begin({ requestId, ...traceId, method, path: path.slice(0, 200) });
    context.set('requestId', requestId);
    context.set('record', record);
    context.set('monitor', monitor);
    context.set('timeLimitMs', timeLimitMs);
    context.header('x-request-id', requestId);
    const { outgoing, incoming } = context.env ?? {};
    const book = (status: number, aborted: boolean): void =>
      monitor.end(record.summarize({ route: matchedRoute(context), status, aborted }));
    outgoing?.once('close', () => {
      const { headersSent, statusCode, writableFinished } = outgoing;
      // A response whose socket breaks while its end is written calls itself finished.
      const broken = incoming?.socket.errored;
      if (broken instanceof CalmError) record.error ??= broken.code;
      // A turn later, its choices have heard of it too.
      setImmediate(() =>
        book(headersSent ? statusCode : clientLeftStatus, !writableFinished || Boolean(broken)),
      );
    });
    await next();
    if (!outgoing) book(context.res.status, false);
  };
}

/** The pattern of the route that took the request; null where only middleware saw it. */
function matchedRoute(context: Context<ServerEnv>): string | null {
  return matchedRoutes(context).findLast(({ path }) => path !== '/*')?.path ?? null;
}

/** A client's own id is taken where it is fit for a header and a log line. */
function readRequestId(given: string | undefined): string {
  return given !== undefined && /^[\x21-\x7e]{1,128}$/.test(given) ? given : `req_${randomUUID()}`;
}

/** The id of a W3C trace context, under which the caller's traces can be joined with the log. */
function readTraceId(traceparent: string | undefined): { readonly traceId?: string } {
  const traceId = /^[\da-f]{2}-([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/.exec(traceparent ?? '')?.[1];
  return traceId === undefined ? {} : { traceId };
}
