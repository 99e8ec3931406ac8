/** Checking the fields of a config.json, with one kind of sentence for all that is wrong. */
import type { z } from 'zod';
import { CalmError } from '../errors.js';

/** Parses by a schema. @throws CalmError bad_checkpoint that names the file and the first field at fault. */
export function parseFields<T>(schema: z.ZodType<T>, json: unknown, file: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  const field = issue.path.join('.');
  return failField(file, field || '(root)', `is not what it should be: ${issue.message}`);
}

/** @throws CalmError bad_checkpoint: `<file>: <field> <what>.` */
export function failField(file: string, field: string, what: string): never {
  throw new CalmError('bad_checkpoint', `${file}: ${field} ${what}.`, { param: field });
}

/** @throws CalmError bad_checkpoint for any activation but SiLU. */
export function requireSilu(activation: string | null | undefined, file: string): void {
  if ((activation ?? 'silu') !== 'silu' && activation !== 'swish') {
    failField(file, 'hidden_act', `is ${JSON.stringify(activation)}; only "silu" is supported`);
  }
}
