/** The server's routes, as this page uses them. */
import { readEvents } from './event-stream.js';

/**
 * @typedef {{
 *   id: string, max_model_len: number, status?: string,
 *   meta: { kind: 'calm' | 'token', chunk_size: number, defaults?: Record<string, unknown> },
 * }} Model
 * @typedef {{ count: number, of: number, probability: number | null, interval: [number, number] }} TokenStatistics
 * @typedef {{
 *   prompt_n: number, prompt_ms: number, predicted_n: number, predicted_ms: number, predicted_per_second: number,
 *   chunks: number, chunk_size: number, draws: number, fallbacks: number,
 * }} Timings
 * @typedef {{
 *   text: string, finish_reason: string | null, token_ids?: number[],
 *   chunk_statistics?: { draws: number, fallback: boolean, tokens: TokenStatistics[] }[],
 * }} Choice
 * @typedef {{ choices: Choice[], timings?: Timings, error?: { message: string } }} CompletionEvent
 */

const keyName = 'calm-serve-api-key';

/** The key of this tab; '' where there is none. */
export const apiKey = {
  get: () => sessionStorage.getItem(keyName) ?? '',
  /** @param {string} key '' forgets it */
  set: key => (key ? sessionStorage.setItem(keyName, key) : sessionStorage.removeItem(keyName)),
};

/** A refusal: its sentence is the server's own. */
export class ApiError extends Error {
  /**
   * @param {number} status 0 where there was no answer
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** @returns {Promise<Model[]>} */
export async function listModels() {
  const response = await call('v1/models', {});
  return (await response.json()).data;
}

/**
 * @param {object} body of POST /v1/completions, without `stream`
 * @param {AbortSignal} signal
 * @returns {Promise<{ ignored: string[], events: AsyncIterable<CompletionEvent> }>} parameters that the model does not
 *   honour, and the events
 */
export async function streamCompletion(body, signal) {
  const response = await call('v1/completions', { body: { ...body, stream: true }, signal });
  const ignored = response.headers.get('x-calm-ignored-params')?.split(/,\s*/) ?? [];
  return { ignored, events: parseEvents(response) };
}

/**
 * @param {string} model
 * @param {number} token
 * @returns {Promise<string>} the text of one token
 */
export async function showToken(model, token) {
  const response = await call('detokenize', { body: { model, tokens: [token] } });
  return (await response.json()).prompt;
}

/** @param {Response} response */
async function* parseEvents(response) {
  if (!response.body) return;
  let finished = false;
  for await (const data of readEvents(response.body)) {
    /** @type {CompletionEvent} */
    const event = JSON.parse(data);
    if (event.error) throw new ApiError(500, event.error.message);
    finished ||= event.choices.some(choice => choice.finish_reason !== null);
    yield event;
  }
  if (!finished) throw new ApiError(0, 'The connection ended before the text did.');
}

/**
 * @param {string} path
 * @param {{ body?: object, signal?: AbortSignal }} options
 */
async function call(path, { body, signal }) {
  const key = apiKey.get();
  const response = await reach(path, {
    ...(signal ? { signal } : {}),
    headers: {
      ...(key ? { authorization: `Bearer ${key}` } : {}),
      ...(body ? { 'content-type': 'application/json' } : {}),
    },
    ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
  });
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  const wait = response.headers.get('retry-after');
  const sentence = answer?.error?.message ?? `The server answered ${response.status} ${response.statusText}.`;
  throw new ApiError(response.status, wait ? `${sentence} Try again in ${wait} s.` : sentence);
}

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function reach(path, init) {
  try {
    return await fetch(new URL(path, document.baseURI), init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, 'The server cannot be reached. Is it still running?');
  }
}
