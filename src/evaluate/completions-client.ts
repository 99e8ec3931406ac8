/** Draws from a model behind an OpenAI-compatible completions server. */
import { z } from 'zod';
import { CalmError } from '../errors.js';

/** Where a model is served. */
export interface CompletionsTarget {
  /** Up to and without /completions. */
  readonly baseUrl: string;
  /** Name to ask for; null for the server's own choice. */
  readonly model: string | null;
}

/** What is asked of the server: independent draws behind one prompt. */
export interface DrawRequest {
  /** Token ids, or text. */
  readonly prompt: readonly number[] | string;
  readonly count: number;
  readonly maxTokens: number;
  readonly seed: number;
}

/** One draw; the ids are there where the server tells them. */
export interface Draw {
  readonly text: string;
  readonly tokenIds: readonly number[] | null;
}

const answerSchema = z.looseObject({
  choices: z.array(z.looseObject({ text: z.string().nullish(), token_ids: z.array(z.int()).nullish() })),
});

const errorSchema = z.looseObject({
  error: z.union([z.string(), z.looseObject({ message: z.string() })]).optional(),
  message: z.string().optional(),
});

/**
 * Reads http://host:port#model; /v1 is put behind an address without a path.
 * @throws CalmError bad_usage
 */
export function parseTarget(address: string): CompletionsTarget {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new CalmError('bad_usage', `--url must look like http://host:port#model. Given: ${address}.`, {
      param: 'url',
    });
  }
  const path = url.pathname.replace(/\/+$/, '').replace(/\/completions$/, '');
  return {
    baseUrl: `${url.origin}${path === '' ? '/v1' : path}`,
    model: url.hash === '' ? null : decodeURIComponent(url.hash.slice(1)),
  };
}

/**
 * Asks for draws at temperature 1. With token ids as prompt it also asks for the draws' ids and for draws that do not
 * stop at an end token: fields that vLLM and this project's server know. With text it sends OpenAI's own fields only.
 *
 * @throws CalmError bad_usage with a sentence that names the server
 */
export async function requestDraws(target: CompletionsTarget, request: DrawRequest): Promise<Draw[]> {
  const url = `${target.baseUrl}/completions`;
  const body = {
    ...(target.model === null ? {} : { model: target.model }),
    prompt: request.prompt,
    max_tokens: request.maxTokens,
    n: request.count,
    temperature: 1,
    seed: request.seed,
    ...(typeof request.prompt === 'string' ? {} : { return_token_ids: true, ignore_eos: true }),
  };
  const answer = await post(url, body);
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success || parsed.data.choices.length !== request.count) {
    const found = parsed.success ? `${parsed.data.choices.length} choices` : 'no list of choices';
    throw trouble(`The server at ${url} answered with ${found} where ${request.count} were asked for.`);
  }
  return parsed.data.choices.map(({ text, token_ids }) => ({
    text: text ?? '',
    tokenIds: token_ids ?? null,
  }));
}

async function post(url: string, body: object): Promise<unknown> {
  let response: Response;
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...authorization() },
      body: JSON.stringify(body),
    });
  } catch (cause) {
    throw trouble(`There is no answer from ${url}: is the server running?`, cause);
  }
  const text = await response.text();
  const json = parseJson(text);
  if (response.ok && json !== undefined) return json;
  const reason = response.ok ? 'no JSON' : (reasonOf(json) ?? text.trim().slice(0, 200));
  throw trouble(`The server at ${url} answered with status ${response.status}: ${reason}`);
}

/** The key that OpenAI's own clients read. */
function authorization(): Record<string, string> {
  const key = process.env.OPENAI_API_KEY;
  return key ? { authorization: `Bearer ${key}` } : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reasonOf(json: unknown): string | null {
  const parsed = errorSchema.safeParse(json);
  if (!parsed.success) return null;
  const { error, message } = parsed.data;
  return (typeof error === 'string' ? error : error?.message) ?? message ?? null;
}

function trouble(message: string, cause?: unknown): CalmError {
  return new CalmError('bad_usage', message, { param: 'url', cause });
}
