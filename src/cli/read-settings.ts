/** Brings a server's settings together: flags, then the environment, then a file, then defaults. */
import { z } from 'zod';
import { CalmError } from '../errors.js';
import { isYaml, parseSettingsFile } from './parse-settings-file.js';
import { listSettings, type ServeSettings, type Setting, serveSettingsSchema } from './settings.js';

/** Where settings come from. */
export interface SettingSources {
  /** As they stand on the command line; without what was not given. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Path of a JSON or YAML file; CALM_CONFIG where it is left out. */
  readonly file: string | undefined;
}

/** @throws CalmError bad_usage, naming the place, what it must be and what it is */
export function readSettings({ flags, environment, file }: SettingSources): ServeSettings {
  const path = file ?? (environment.CALM_CONFIG || undefined);
  const fileValues = path === undefined ? {} : readSettingsFile(path);
  const values = listSettings().map(setting => {
    const { name, key, flag, variable } = setting;
    if (flags[name] !== undefined) return [name, check(setting, flags[name], flag)];
    // Empty means unset, as in compose files that pass a variable on.
    if (environment[variable]) return [name, check(setting, environment[variable], variable)];
    const fromFile = fileValues[key];
    return [name, check(setting, fromFile ?? undefined, `"${key}" in ${path}`)];
  });
  return serveSettingsSchema.parse(Object.fromEntries(values));
}

function check({ schema, mustBe }: Setting, value: unknown, place: string): unknown {
  const { success, data } = schema.safeParse(value);
  if (success) return data;
  throw new CalmError('bad_usage', `${place} must be ${mustBe}. Given: ${JSON.stringify(value)}.`);
}

function readSettingsFile(path: string): Readonly<Record<string, unknown>> {
  const { success, data } = z.record(z.string(), z.unknown()).safeParse(parseSettingsFile(path));
  if (!success) {
    const content = isYaml(path)
      ? 'one mapping of settings to values, such as `port: 9000`'
      : 'one JSON object';
    throw new CalmError('bad_usage', `The configuration file ${path} must hold ${content}.`);
  }
  const keys = listSettings().map(({ key }) => key);
  const unknown = Object.keys(data).find(key => !keys.includes(key));
  if (unknown === undefined) return data;
  throw new CalmError(
    'bad_usage',
    `The configuration file ${path} names a setting ${JSON.stringify(unknown)}, which there is not. ` +
      `There are ${keys.join(', ')}.`,
  );
}
