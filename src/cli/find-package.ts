/** Where a model package lies: a folder of the user's, or a name in this package's own models/ folder. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { CalmError } from '../errors.js';

/** The packages that ship with this program. */
export const modelsFolder = fileURLToPath(new URL('../../models/', import.meta.url));

const defaultModelsSchema = z.object({ models: z.array(z.string().min(1)).nonempty() });

function isPackage(folder: string): boolean {
  return existsSync(join(folder, 'manifest.json'));
}

function shippedPackages(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter(name => isPackage(join(folder, name)));
}

/**
 * The folder of a package.
 *
 * @param given a folder, or the name of a package in `folder`
 * @throws CalmError bad_package where neither is there
 */
export function findPackage(given: string, folder: string = modelsFolder): string {
  const place = resolve(given);
  if (isPackage(place)) return place;
  const shipped = /[/\\]/.test(given) ? undefined : join(folder, given);
  if (shipped !== undefined && isPackage(shipped)) return shipped;
  const isFolder = existsSync(place) && statSync(place).isDirectory();
  if (isFolder && existsSync(join(place, 'config.json'))) {
    throw new CalmError(
      'bad_package',
      `${given} is a checkpoint, not a model package. Turn it into one with: calm convert ${given} --out <folder>.`,
    );
  }
  const names = shippedPackages(folder);
  const known = names.length > 0 ? ` Packages that come with calm-serve: ${names.join(', ')}.` : '';
  const reason = isFolder ? 'has no manifest.json' : 'does not exist';
  throw new CalmError('bad_package', `The model package ${given} ${reason}.${known}`);
}

/** The names that `calm serve` serves without --model, first the default one, from models/default.json. */
export function defaultPackages(folder: string = modelsFolder): readonly string[] {
  const file = join(folder, 'default.json');
  if (!existsSync(file)) {
    throw new CalmError(
      'bad_usage',
      `No model was named, and ${file} does not exist. Name one: calm serve --model <folder>.`,
    );
  }
  try {
    return defaultModelsSchema.parse(JSON.parse(readFileSync(file, 'utf8'))).models;
  } catch (error) {
    throw new CalmError('bad_package', `${file} must look like {"models": ["name"]}.`, { cause: error });
  }
}
