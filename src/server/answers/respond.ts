/** From a checked request to its answer: at once, or event by event. What completions and chats have in common. */
import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { type ChoiceDelta, startCompletion } from '../generation/completion-run.js';
import type { Generation } from '../generation/generation.js';
import { eventStream, eventStreamHeaders } from '../http/sse.js';
import type { ServedModel } from '../models/served-model.js';
import type { ServerEnv } from '../requests/request-signal.js';
import { reportError, type ServerContext } from '../server-context.js';

/** What every object of one answer shares. */
export interface AnswerHead {
  /** Unique to the answer. */
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  /** The model's own name, whatever name the client used. */
  readonly model: string;
}

/** How an answer looks on the wire. */
export interface AnswerForm {
  readonly idPrefix: string;
  collect(deltas: AsyncIterable<ChoiceDelta>, head: AnswerHead): Promise<object>;
  stream(deltas: AsyncIterable<ChoiceDelta>, head: AnswerHead): AsyncIterable<object>;
}

export interface AnswerTask {
  readonly model: ServedModel;
  readonly generation: Generation;
  readonly isStream: boolean;
  readonly form: AnswerForm;
  /** Ends the work of the request. */
  readonly controller: AbortController;
}

/** @throws CalmError before the first byte where the engine refuses the request */
export async function respond(
  context: Context<ServerEnv>,
  server: ServerContext,
  { model, generation, isStream, form, controller }: AnswerTask,
): Promise<Response> {
  const head: AnswerHead = {
    id: `${form.idPrefix}-${randomUUID()}`,
    created: Math.floor(Date.now() / 1000),
    model: model.id,
  };
  const deltas = startCompletion(model, generation, controller);
  if (!isStream) return context.json(await form.collect(deltas, head));
  const listener = {
    onError: (error: unknown) => reportError(server, error, context.get('requestId')),
    onCancel: () => controller.abort(),
  };
  const stream = eventStream(form.stream(deltas, head), listener, server.keepAliveCommentMs);
  return context.body(stream, 200, { ...eventStreamHeaders });
}
