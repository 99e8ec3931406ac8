/** API keys: who may call. Without keys everyone may, whatever `Authorization` says. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { CalmError } from '../../errors.js';

/** Paths that load balancers and orchestrators ask without a key, which tell nothing but whether the server works. */
const probePaths: readonly string[] = ['/health', '/v1/health', '/livez', '/readyz'];

/**
 * Lets a request pass that carries one of the keys, as `Authorization: Bearer` or as `X-Api-Key`. It stands before the
 * routes, so that a path is protected because it is not listed as public, and not because someone thought of it.
 *
 * @param apiKeys empty to let everyone pass
 * @param pagePaths further paths that need no key: pages that are the same for everyone
 */
export function requireApiKey(apiKeys: readonly string[], pagePaths: readonly string[]): MiddlewareHandler {
  const digests = apiKeys.map(digest);
  const publicPaths = new Set([...probePaths, ...pagePaths]);
  return async (context, next) => {
    if (digests.length > 0 && !publicPaths.has(context.req.path.replace(/(?<=.)\/$/, ''))) {
      checkKey(readKey(context.req.header('authorization'), context.req.header('x-api-key')), digests);
    }
    await next();
  };
}

function readKey(authorization: string | undefined, apiKeyHeader: string | undefined): string | null {
  const bearer = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  return bearer ?? apiKeyHeader ?? null;
}

function checkKey(given: string | null, digests: readonly Buffer[]): void {
  if (given === null) {
    throw new CalmError(
      'unauthorized',
      'This server wants an API key. Send it as `Authorization: Bearer <key>` or as `X-Api-Key: <key>`.',
    );
  }
  const givenDigest = digest(given);
  // Every key is compared, and digests are equally long: the time taken says nothing about the keys.
  const matches = digests.map(known => timingSafeEqual(known, givenDigest));
  if (!matches.includes(true)) throw new CalmError('unauthorized', 'The API key is not one of this server.');
}

function digest(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
