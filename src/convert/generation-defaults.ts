/** The checkpoint's generation_config.json, in the words of the package's. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CalmError } from '../errors.js';
import { type GenerationDefaults, generationDefaultsSchema } from '../runtime/manifest.js';

const upstreamSchema = generationDefaultsSchema.extend({
  /** transformers' name of max_tokens. */
  max_new_tokens: z.int().positive().nullish(),
});

/**
 * Defaults for requests; empty where the checkpoint says nothing.
 * @throws CalmError bad_checkpoint where the file is no JSON or a field is out of range.
 */
export function readGenerationDefaults(folder: string): GenerationDefaults {
  const file = join(folder, 'generation_config.json');
  if (!existsSync(file)) return {};
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new CalmError('bad_checkpoint', `${file} is not valid JSON: ${(cause as Error).message}.`, {
      cause,
    });
  }
  const parsed = upstreamSchema.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new CalmError(
      'bad_checkpoint',
      `${file}: ${issue?.path.join('.')} is not what it should be: ${issue?.message}.`,
    );
  }
  const { max_new_tokens: maxNewTokens, ...defaults } = parsed.data;
  if (defaults.max_tokens !== undefined || maxNewTokens == null) return defaults;
  return { ...defaults, max_tokens: maxNewTokens };
}
