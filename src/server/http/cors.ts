/** Which web pages may call the server, and which of its headers they may read. */
import type { MiddlewareHandler } from 'hono';
import { cors } from 'hono/cors';

/** Headers that a page's script may read beside the ones that every script may. */
const exposedHeaders = ['x-request-id', 'x-calm-ignored-params', 'retry-after', 'www-authenticate'];
const preflightMaxAgeSeconds = 600;

/**
 * CORS on every answer, errors and event streams included, and the answer to preflights, which carry no key. Whatever
 * headers a page asks to send are allowed: a wildcard would not cover `Authorization`. Cookies never count.
 *
 * @param allowedOrigins origins such as `https://chat.example.org`; `*` stands for all; empty for none
 */
export function allowOrigins(allowedOrigins: readonly string[]): MiddlewareHandler {
  return cors({
    origin: allowedOrigins.includes('*') ? '*' : [...allowedOrigins],
    allowMethods: ['GET', 'HEAD', 'POST'],
    exposeHeaders: exposedHeaders,
    maxAge: preflightMaxAgeSeconds,
  });
}
