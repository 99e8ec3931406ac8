/** Turns a refused request body into one sentence that names the field, what it takes and what it was given. */
import type { z } from 'zod';
import { CalmError } from '../../errors.js';
import { excerpt } from '../excerpt.js';

/** The value at a path, or undefined where the path leaves the value. */
function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
}

/** A path as a programmer writes it: stream_options.include_usage, prompt[2]. */
function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((key, depth) => (typeof key === 'number' ? `[${key}]` : `${depth > 0 ? '.' : ''}${String(key)}`))
    .join('');
}

/** An object schema; each field's description says what the field must be. */
export type BodySchema<Body> = z.ZodType<Body> & { readonly shape: Readonly<Record<string, z.ZodType>> };

/**
 * Checks a request body.
 *
 * @throws CalmError invalid_request with the first refused field as `param`
 */
export function parseBody<Body>(schema: BodySchema<Body>, body: unknown): Body {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const path = result.error.issues[0]?.path ?? [];
  const field = path[0];
  if (field === undefined) {
    throw new CalmError(
      'invalid_request',
      `The request body must be a JSON object. Given: ${excerpt(body)}.`,
    );
  }
  const mustBe = schema.shape[String(field)]?.description ?? 'of another type';
  const given = excerpt(valueAt(body, path));
  const place = path.length > 1 ? ` at \`${formatPath(path)}\`` : '';
  throw new CalmError('invalid_request', `\`${String(field)}\` must be ${mustBe}. Given${place}: ${given}.`, {
    param: String(field),
  });
}
