/** Servers to measure, as the command line names them. */
import { UsageError } from '../usage-error.js';

export interface Target {
  /** Stands for the target in every table. */
  readonly name: string;
  /** Without /v1 and without a slash at the end. */
  readonly baseUrl: string;
  /** Null takes the first model that the server lists. */
  readonly model: string | null;
  readonly apiKey: string | null;
  /** Process whose CPU time is reported, children included. */
  readonly serverPid: number | null;
}

/**
 * Reads `name=http://host:port#model`; `#model` may be left out.
 *
 * @throws UsageError naming what is wrong
 */
export function parseTarget(text: string): Pick<Target, 'name' | 'baseUrl' | 'model'> {
  const match = /^([^=#/]+)=(.+)$/.exec(text.trim());
  const url = match?.[2] !== undefined && URL.canParse(match[2]) ? new URL(match[2]) : null;
  if (!match?.[1] || !url || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(
      `--target must look like name=http://host:port#model. Given: ${JSON.stringify(text)}.`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(`--target ${match[1]} must not carry a password in its URL. Use --api-key.`);
  }
  const path = url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '');
  return {
    name: match[1].trim(),
    baseUrl: `${url.origin}${path}`,
    model: url.hash.length > 1 ? decodeURIComponent(url.hash.slice(1)) : null,
  };
}

/** @throws UsageError where two targets share a name: tables could not tell them apart */
export function checkNames(targets: readonly { readonly name: string }[]): void {
  const seen = new Set<string>();
  for (const { name } of targets) {
    if (seen.has(name))
      throw new UsageError(`Two targets are named ${name}. Give each --target its own name.`);
    seen.add(name);
  }
}

/**
 * Splits option values of the form `value` (for every target) and `name=value` (for one).
 *
 * @returns the value for the target `name`; null where there is none
 */
export function valueFor(
  name: string,
  values: readonly string[],
  targetNames: readonly string[],
): string | null {
  const named = values.filter(value => value.startsWith(`${name}=`)).at(-1);
  if (named !== undefined) return named.slice(name.length + 1);
  const isOthers = (value: string): boolean => targetNames.some(other => value.startsWith(`${other}=`));
  return values.filter(value => !isOthers(value)).at(-1) ?? null;
}
