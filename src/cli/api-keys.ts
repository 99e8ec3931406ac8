/** Gathers the API keys of a server. */
import { readFileSync } from 'node:fs';
import { CalmError } from '../errors.js';
import type { ServeSettings } from './settings.js';

/**
 * Keys from the settings and from the file that they name. None at all means an open server, so whoever names a file
 * without a key in it is told, instead of being left unprotected.
 *
 * @throws CalmError bad_usage for a file that cannot be read or holds no key, and for a key that no header can carry
 */
export function gatherApiKeys({
  apiKey = [],
  apiKeyFile,
}: Pick<ServeSettings, 'apiKey' | 'apiKeyFile'>): string[] {
  const keys = [...apiKey, ...(apiKeyFile === undefined ? [] : readKeyFile(apiKeyFile))];
  if (keys.some(key => !/^[\x21-\x7e]+$/.test(key))) {
    throw new CalmError(
      'bad_usage',
      'An API key must be printable ASCII without spaces. One of those given is not.',
    );
  }
  return [...new Set(keys)];
}

function readKeyFile(path: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CalmError('bad_usage', `The file of --api-key-file cannot be read: ${reason}.`, { cause });
  }
  const keys = text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '' && !line.startsWith('#'));
  if (keys.length === 0) {
    throw new CalmError('bad_usage', `The file ${path} of --api-key-file holds no key. Write one on a line.`);
  }
  return keys;
}
