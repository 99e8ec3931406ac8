/** What an HTTP status that is no success means, with the server's own words. */
import { type FailureCode, RequestFailure } from './request-failure.js';

const longestQuote = 300;

/** @param body the answer's text: OpenAI's error envelope, or anything */
export function describeRefusal(status: number, body: string): RequestFailure {
  const { message, code } = readError(body);
  const quote = message === '' ? '' : `: ${message.slice(0, longestQuote)}`;
  return new RequestFailure(classify(status, `${code} ${message}`), `The server answered ${status}${quote}`);
}

function classify(status: number, words: string): FailureCode {
  if (status === 401 || status === 403) return 'key_refused';
  if (status === 429 || status === 503) return 'overloaded';
  if (status === 404 && /model/i.test(words)) return 'model_not_found';
  return 'refused';
}

/** Message and code of an answer that tells of an error; of one that is not JSON, all of it. */
export function readError(body: string): { message: string; code: string } {
  try {
    return describeError(JSON.parse(body));
  } catch {
    return { message: body.trim(), code: '' };
  }
}

/** Message and code of an error object: `{error: {message, code}}`, `{error: "..."}`, `{message}` or `{detail}`. */
function describeError(value: unknown): { message: string; code: string } {
  if (typeof value === 'string') return { message: value, code: '' };
  if (typeof value !== 'object' || value === null) return { message: '', code: '' };
  const { error, message, detail, code } = value as Record<string, unknown>;
  if (error !== undefined && error !== null) return describeError(error);
  const words = [message, detail].find(part => typeof part === 'string' && part !== '');
  return {
    message: typeof words === 'string' ? words : JSON.stringify(value),
    code: typeof code === 'string' ? code : '',
  };
}
