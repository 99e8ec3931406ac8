/** GET /health, /readyz and /livez: what load balancers and orchestrators ask. */
import type { ServedModel } from '../models/served-model.js';
import type { ServerContext } from '../server-context.js';

/** Status and body of a probe. */
export interface ProbeAnswer {
  readonly status: 200 | 503;
  readonly body: object;
}

/** 200 with the load of each model while requests are taken, 503 from the moment the server drains. */
export function showHealth(server: ServerContext): ProbeAnswer {
  const readiness = showReadiness(server);
  return {
    ...readiness,
    body: { ...readiness.body, models: server.models.list().map(describeLoad) },
  };
}

/** Whether requests should be sent here: 503 from the moment the server drains. */
export function showReadiness({ lifecycle }: ServerContext): ProbeAnswer {
  return lifecycle.draining
    ? { status: 503, body: { status: 'draining' } }
    : { status: 200, body: { status: 'ok' } };
}

/** Whether the process works: 200 for as long as it answers, so that nobody kills a server that drains. */
export function showLiveness(): ProbeAnswer {
  return { status: 200, body: { status: 'alive' } };
}

function describeLoad(model: ServedModel) {
  const { slotCount, running, waiting } = model.engine.stats();
  return { id: model.id, status: 'ready', slots: slotCount, running, waiting };
}
