/** What the socket answers while models are loaded: that the process lives, how far it is, and that it takes no requests. */
import { Hono } from 'hono';
import { CalmError } from '../errors.js';
import { answerError } from './http/answer-error.js';
import { requireApiKey } from './http/auth.js';
import { allowOrigins } from './http/cors.js';
import { playgroundPaths, readPlayground } from './playground/playground-route.js';
import type { ServerEnv } from './requests/request-signal.js';
import type { ServerContext } from './server-context.js';
import { showLiveness } from './status/health-routes.js';

/** A model that is served, or will be. */
export interface LoadingModel {
  readonly id: string;
  /** Seconds since 1970 at which the package was made. */
  readonly created: number;
  readonly status: 'loading' | 'ready';
}

/** What is known of a server before it has its models. */
export interface LoadingContext
  extends Pick<ServerContext, 'apiKeys' | 'allowedOrigins' | 'disablePlayground'> {
  /** Models so far; none until their packages are read. */
  readonly models?: () => readonly LoadingModel[];
}

/** An app without models: probes and the list of models tell of their loading, and everything else is a 503. */
export function createLoadingApp(loading: LoadingContext = {}): Hono<ServerEnv> {
  const models = loading.models ?? (() => []);
  const app = new Hono<ServerEnv>({ strict: false });
  app.use(allowOrigins(loading.allowedOrigins ?? ['*']));
  app.use(requireApiKey(loading.apiKeys ?? [], playgroundPaths));
  app.get('/livez', context => context.json(showLiveness().body));
  app.get('/readyz', context => context.json({ status: 'loading' }, 503));
  for (const prefix of ['/v1', '']) {
    app.get(`${prefix}/health`, context =>
      context.json({ status: 'loading', models: models().map(({ id, status }) => ({ id, status })) }, 503),
    );
    app.get(`${prefix}/models`, context =>
      context.json({
        object: 'list',
        data: models().map(model => ({ ...model, object: 'model', owned_by: 'calm-serve' })),
      }),
    );
  }
  for (const [path, { body, headers }] of loading.disablePlayground ? [] : readPlayground()) {
    app.get(path, context => context.body(body, 200, headers));
  }
  app.notFound(context => {
    const sentence = 'The server is still loading its models. Try again in a few seconds.';
    return answerError(context, new CalmError('loading', sentence));
  });
  app.onError((error, context) => answerError(context, error));
  return app;
}
