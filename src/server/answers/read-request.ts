/** The beginning of every request for text, a completion or a chat: its body, its model, and what ends its work. */
import type { Context } from 'hono';
import type { GenerationFields } from '../generation/generation-fields.js';
import { findIgnoredParams } from '../generation/ignored-params.js';
import { type BodySchema, parseBody } from '../http/parse-body.js';
import { readJson } from '../http/read-json.js';
import type { ServedModel } from '../models/served-model.js';
import { controlRequest, type ServerEnv } from '../requests/request-signal.js';
import type { ServerContext } from '../server-context.js';

export interface TextRequest<Body> {
  /** Holds to the schema; what an event holds is the server's choice where the client made none. */
  readonly body: Body;
  readonly model: ServedModel;
  /** Ends the work of the request. */
  readonly controller: AbortController;
}

/**
 * Reads and checks a request, and tells of the fields that its model ignores.
 *
 * @throws CalmError shutting_down while the server drains, what readJson and parseBody throw, model_not_found, and
 *   unsupported for a field that would be ignored where the server is strict
 */
export async function readRequest<Body extends GenerationFields>(
  context: Context<ServerEnv>,
  server: ServerContext,
  schema: BodySchema<Body>,
): Promise<TextRequest<Body>> {
  server.lifecycle.assertOpen();
  const controller = controlRequest(context, server.lifecycle);
  const body = parseBody(schema, await readJson(context.req.raw, server.maxBodyBytes));
  const model = server.models.get(body.model);
  surfaceIgnoredParams(context, findIgnoredParams(body, model, server.strictParams ?? false));
  const { streamGranularity } = server;
  return {
    body: { ...body, stream_granularity: body.stream_granularity ?? streamGranularity },
    model,
    controller,
  };
}

/** Tells the client by a header, and the operator by the access log and a metric. */
function surfaceIgnoredParams(context: Context<ServerEnv>, ignored: readonly string[]): void {
  if (ignored.length === 0) return;
  context.header('x-calm-ignored-params', ignored.join(', '));
  context.get('record').ignoredParams = ignored;
}
