/** What the socket answers while models are loaded: that the process lives, and that it takes no requests yet. */
import { Hono } from 'hono';
import { CalmError } from '../errors.js';
import { describeError } from './errors.js';
import { showLiveness } from './health-routes.js';
import { readPlayground } from './playground-route.js';

const probePaths = ['/health', '/v1/health', '/readyz'];

/** An app without models. */
export function createLoadingApp(): Hono {
  const app = new Hono({ strict: false });
  app.get('/livez', context => context.json(showLiveness().body));
  for (const path of probePaths) app.get(path, context => context.json({ status: 'loading' }, 503));
  for (const [path, { body, headers }] of readPlayground()) {
    app.get(path, context => context.body(body, 200, headers));
  }
  app.notFound(context => {
    const error = new CalmError(
      'loading',
      'The server is still loading its models. Try again in a few seconds.',
    );
    const { status, headers, body } = describeError(error);
    for (const [name, value] of Object.entries(headers)) context.header(name, value);
    context.header('access-control-allow-origin', '*');
    return context.json(body, status);
  });
  return app;
}
