/** Reads a configuration file: YAML where its name says so, else JSON. */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import { CalmError } from '../errors.js';

/** Whether a file is YAML, by its name. */
export function isYaml(path: string): boolean {
  return /\.ya?ml$/i.test(path);
}

/**
 * What the file holds, of any type.
 *
 * @throws CalmError bad_usage for a file that cannot be read, or is not what its name says
 */
export function parseSettingsFile(path: string): unknown {
  const text = readText(path);
  try {
    return isYaml(path) ? parseYaml(text) : JSON.parse(text);
  } catch (cause) {
    const format = isYaml(path) ? 'YAML' : 'JSON';
    throw new CalmError(
      'bad_usage',
      `The configuration file ${path} is not valid ${format}: ${reasonOf(cause)}.`,
      { cause },
    );
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new CalmError('bad_usage', `The configuration file ${path} cannot be read: ${reasonOf(cause)}.`, {
      cause,
    });
  }
}

/** YAML 1.2, in which `on` and `no` are texts. A file in which every line is a comment names no settings. */
function parseYaml(text: string): unknown {
  const document = parseDocument(text, { logLevel: 'error' });
  // A tag that nobody knows is a warning only, and its value not what it says.
  const [fault] = [...document.errors, ...document.warnings];
  // Its own sentence speaks to programmers.
  if (fault?.code === 'MULTIPLE_DOCS') throw new Error('it holds several documents; keep one');
  if (fault) throw fault;
  return document.toJS() ?? {};
}

/** Without the lines of the file, which the parser of YAML quotes below its sentence, and its stop or colon. */
function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.split('\n', 1)[0]!.replace(/[.:]$/, '');
}
