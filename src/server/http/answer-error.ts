/** A failure as an answer. */
import type { Context } from 'hono';
import { describeError } from './errors.js';

/** OpenAI's error envelope, with the status and the headers that go with it. */
export function answerError(context: Context, error: unknown): Response {
  const { status, headers, body } = describeError(error);
  for (const [name, value] of Object.entries(headers)) context.header(name, value);
  return context.json(body, status);
}
