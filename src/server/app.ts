/** The HTTP surface: which paths there are, and that every failure leaves as OpenAI's error envelope. */
import { type Context, Hono } from 'hono';
import { CalmError } from '../errors.js';
import { answerChat } from './chat/chat-route.js';
import { answerCompletion } from './completions/completions-route.js';
import { answerError } from './http/answer-error.js';
import { requireApiKey } from './http/auth.js';
import { allowOrigins } from './http/cors.js';
import { describeApi } from './openapi/openapi-document.js';
import { playgroundPaths, readPlayground } from './playground/playground-route.js';
import { RequestMonitor } from './requests/request-monitor.js';
import type { ServerEnv } from './requests/request-signal.js';
import { watchRequests } from './requests/watch-request.js';
import { reportError, type ServerContext } from './server-context.js';
import { type ProbeAnswer, showHealth, showLiveness, showReadiness } from './status/health-routes.js';
import { listModels, showModel } from './status/models-route.js';
import { answerProps, answerSlots } from './status/slots-route.js';
import { describeVersions } from './status/version.js';
import { answerDetokenize, answerTokenize, answerTokenizerInfo } from './tokenize/tokenize-route.js';

type App = Hono<ServerEnv>;
type Handler = (context: Context<ServerEnv>) => Response | Promise<Response>;

/** Builds the app. Clients write base URLs with and without /v1, and paths with and without a slash at the end. */
export function createApp(context: ServerContext): App {
  const monitor = context.monitor ?? new RequestMonitor();
  const server = { ...context, models: context.models.map(model => monitor.observe(model)) };
  const app: App = new Hono<ServerEnv>({ strict: false });
  app.use(watchRequests(monitor, server.requestTimeoutMs ?? null));
  app.use(async (context, next) => {
    // The socket is about to be closed: whoever keeps it for a next request would lose that one.
    if (server.lifecycle.draining) context.header('connection', 'close');
    await next();
  });
  app.use(allowOrigins(server.allowedOrigins ?? ['*']));
  app.use(requireApiKey(server.apiKeys ?? [], playgroundPaths));
  for (const prefix of ['/v1', '']) {
    addRoute(app, 'POST', `${prefix}/completions`, context => answerCompletion(context, server));
    addRoute(app, 'POST', `${prefix}/chat/completions`, context => answerChat(context, server));
    addRoute(app, 'POST', `${prefix}/tokenize`, context => answerTokenize(context, server));
    addRoute(app, 'POST', `${prefix}/detokenize`, context => answerDetokenize(context, server));
    addRoute(app, 'GET', `${prefix}/tokenizer_info`, context => answerTokenizerInfo(context, server));
    addRoute(app, 'GET', `${prefix}/version`, context =>
      context.json(describeVersions(server.nativeVersion)),
    );
    addRoute(app, 'GET', `${prefix}/openapi.json`, context =>
      context.json(describeApi({ hasKeys: (server.apiKeys ?? []).length > 0 })),
    );
    addRoute(app, 'GET', `${prefix}/models`, context => context.json(listModels(server)));
    addRoute(app, 'GET', `${prefix}/models/:id{.+}`, context =>
      context.json(showModel(server, context.req.param('id') ?? '')),
    );
    addProbe(app, `${prefix}/health`, () => showHealth(server));
  }
  addRoute(app, 'GET', '/props', context => answerProps(context, server));
  addRoute(app, 'GET', '/slots', context => answerSlots(context, server));
  addProbe(app, '/readyz', () => showReadiness(server));
  addProbe(app, '/livez', showLiveness);
  addRoute(app, 'GET', '/metrics', async context =>
    context.body(await monitor.metrics.show(), 200, { 'content-type': monitor.metrics.contentType }),
  );
  for (const [path, { body, headers }] of server.disablePlayground ? [] : readPlayground()) {
    addRoute(app, 'GET', path, context => context.body(body, 200, headers));
  }
  app.notFound(context => refuse(context, unknownRoute(context)));
  app.onError((error, context) => {
    reportError(server, error, context.get('requestId'));
    return refuse(context, error);
  });
  return app;
}

/** A path that answers one method, and says so to the others. */
function addRoute(app: App, method: 'GET' | 'POST', path: string, handler: Handler): void {
  app.on(method, path, handler);
  const allowed = method === 'GET' ? 'GET, HEAD' : method;
  app.all(path, context => {
    context.header('allow', allowed);
    return refuse(
      context,
      new CalmError(
        'method_not_allowed',
        `${context.req.path} takes ${allowed}. Given: ${context.req.method}.`,
      ),
    );
  });
}

function addProbe(app: App, path: string, probe: () => ProbeAnswer): void {
  addRoute(app, 'GET', path, context => {
    const { status, body } = probe();
    context.header('cache-control', 'no-store');
    return context.json(body, status);
  });
}

function refuse(context: Context<ServerEnv>, error: unknown): Response {
  context.get('record').error ??= error instanceof CalmError ? error.code : 'internal';
  return answerError(context, error);
}

function unknownRoute(context: Context<ServerEnv>): CalmError {
  return new CalmError(
    'not_found',
    `There is no ${context.req.method} ${context.req.path.slice(0, 200)} here. ` +
      'There are POST /v1/completions, POST /v1/chat/completions, GET /v1/models, GET /health and more; GET /openapi.json lists all.',
  );
}
