/** Reads a request body as JSON, within a limit, and says in one sentence why it could not. */
import { CalmError } from '../../errors.js';
import { findBareNumber } from './bare-number.js';

function checkContentType(request: Request): void {
  const header = request.headers.get('content-type');
  const mediaType = header?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (mediaType === 'application/json' || /^application\/[^ ]+\+json$/.test(mediaType)) return;
  throw new CalmError(
    'unsupported_media_type',
    `The request must carry the header \`content-type: application/json\`. Given: ${header ?? 'no content-type'}.`,
  );
}

function tooLarge(maxBytes: number): CalmError {
  return new CalmError(
    'payload_too_large',
    `The request body must not be larger than ${maxBytes} bytes. Send fewer or shorter prompts in one request.`,
  );
}

/** Counts while it reads, because a chunked body announces no length. */
async function readBytes(request: Request, maxBytes: number): Promise<Uint8Array> {
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const part of request.body ?? []) {
      size += part.byteLength;
      if (size > maxBytes) throw tooLarge(maxBytes);
      parts.push(part);
    }
  } catch (cause) {
    if (cause instanceof CalmError) throw cause;
    throw new CalmError('aborted', 'The connection ended before the request body did.', { cause });
  }
  return Buffer.concat(parts, size);
}

function notJson(text: string, error: unknown): CalmError {
  const bare = findBareNumber(text);
  if (bare !== null) {
    return new CalmError(
      'invalid_request',
      `\`${bare.field}\` must not be or hold ${bare.word}, which is no JSON. Give a finite number, or leave the field out.`,
      { param: bare.field },
    );
  }
  const reason = error instanceof Error ? error.message.slice(0, 200) : String(error);
  return new CalmError('invalid_request', `The request body is not valid JSON: ${reason}.`);
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new CalmError('invalid_request', 'The request body is not valid JSON: it is not UTF-8.');
  }
}

/**
 * The parsed body of a request.
 *
 * @throws CalmError unsupported_media_type, payload_too_large, aborted where the client leaves, or invalid_request for
 * what is no UTF-8 or no JSON, with the field as `param` where it is NaN or infinite
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  checkContentType(request);
  const text = decode(await readBytes(request, maxBytes));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notJson(text, error);
  }
}
