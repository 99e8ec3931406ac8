/** Reading text to be evaluated. */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { z } from 'zod';
import { CalmError } from '../errors.js';

/** In .txt files a line that holds nothing else separates documents. */
export const DOCUMENT_SEPARATOR = '<|endoftext|>';

const lineSchema = z.looseObject({ text: z.string() });

/**
 * The documents of a file that are not empty, without surrounding white space. Files that end in .jsonl, .ndjson or
 * .json hold an object with a `text` on each line; all others are plain text.
 * @throws CalmError bad_usage for a file that is missing, empty, or no UTF-8
 */
export function readDocuments(path: string): string[] {
  const text = readText(path);
  const isJson = ['.jsonl', '.ndjson', '.json'].includes(extname(path).toLowerCase());
  const documents = (isJson ? splitJson(path, text) : splitPlain(text))
    .map(document => document.trim())
    .filter(document => document !== '');
  if (documents.length > 0) return documents;
  throw unusable(`The file ${path} holds no text; name a file with at least one document.`);
}

function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const reason = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? String(cause)})`;
    throw unusable(`The file ${path} ${reason}; name a .txt or .jsonl file with --data.`, cause);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw unusable(
      `The file ${path} is not UTF-8 text; convert it, or unpack it if it is compressed.`,
      cause,
    );
  }
}

function splitPlain(text: string): string[] {
  const documents: string[][] = [[]];
  for (const line of text.split(/\r?\n/)) {
    if (line === DOCUMENT_SEPARATOR) documents.push([]);
    else documents.at(-1)!.push(line);
  }
  return documents.map(lines => lines.join('\n'));
}

function splitJson(path: string, text: string): string[] {
  const documents: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch (cause) {
      throw unusable(
        `Line ${index + 1} of ${path} is not valid JSON; each line must be an object with a "text".`,
        cause,
      );
    }
    const parsed = lineSchema.safeParse(json);
    if (!parsed.success) {
      throw unusable(`Line ${index + 1} of ${path} is no object with a string "text".`);
    }
    documents.push(parsed.data.text);
  }
  return documents;
}

function unusable(message: string, cause?: unknown): CalmError {
  return new CalmError('bad_usage', message, { param: 'data', cause });
}
