/** The model packages that come with this program. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { CalmError } from '../errors.js';

/** Where they lie. */
export const modelsFolder = fileURLToPath(new URL('../../models', import.meta.url));

const defaultModelsSchema = z.object({ models: z.array(z.string().min(1)).nonempty() });

/**
 * Names of the packages that `calm serve` serves without --model, the default one first: default.json of the folder.
 *
 * @throws CalmError bad_usage where there is no such file, bad_package where it cannot be used
 */
export function defaultModels(folder: string = modelsFolder): readonly string[] {
  const file = join(folder, 'default.json');
  if (!existsSync(file)) {
    throw new CalmError(
      'bad_usage',
      `Name a model with --model: there is no ${file} that names a default one.`,
    );
  }
  try {
    return defaultModelsSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).models;
  } catch (cause) {
    throw new CalmError('bad_package', `The file ${file} must look like {"models": ["name"]}.`, { cause });
  }
}
