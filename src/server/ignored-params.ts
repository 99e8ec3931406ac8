/** Fields that the server knows but a model cannot honour: ignored and said so, or refused where it is to be strict. */
import type { Context } from 'hono';
import { CalmError } from '../errors.js';
import { excerpt } from './parse-body.js';
import type { ServerEnv } from './request-signal.js';
import type { ServedModel } from './served-model.js';
import type { ServerContext } from './server-context.js';

interface KnownParam {
  /** True for values that ask for nothing. */
  isNeutral(value: unknown): boolean;
  /** The neutral value, for the sentence that refuses others. */
  readonly neutral: string;
  /** Why no model here honours it. */
  readonly reason: string;
}

const noTools = { isNeutral: isEmpty, neutral: 'empty', reason: 'it was not trained to call tools' };
const noGrammar = {
  isNeutral: (value: unknown) => value === '',
  neutral: 'null',
  reason: 'its text cannot be bound to a format',
};
const noWordLists = { isNeutral: isEmpty, neutral: 'empty', reason: 'ban tokens with `logit_bias`' };

const knownParams: Readonly<Record<string, KnownParam>> = {
  suffix: {
    isNeutral: value => value === '',
    neutral: 'empty',
    reason: 'it continues texts and fills no gaps',
  },
  response_format: {
    ...noGrammar,
    isNeutral: value => (value as { type?: unknown }).type === 'text',
    neutral: '{"type": "text"}',
  },
  // vLLM's and llama.cpp's names of the same wish.
  structured_outputs: noGrammar,
  guided_json: noGrammar,
  guided_regex: noGrammar,
  guided_choice: noGrammar,
  guided_grammar: noGrammar,
  grammar: noGrammar,
  json_schema: noGrammar,
  bad_words: noWordLists,
  allowed_token_ids: noWordLists,
  use_beam_search: {
    isNeutral: value => value === false,
    neutral: 'false',
    reason: 'texts are drawn here; `best_of` chooses among several',
  },
  cache_salt: {
    isNeutral: value => value === '',
    neutral: 'null',
    reason: "all clients' prompts share the cache of their beginnings; --prefix-cache-memory 0 turns it off",
  },
  priority: {
    isNeutral: value => value === 0,
    neutral: '0',
    reason: 'requests are served in the order in which they come',
  },
  tools: noTools,
  functions: noTools,
};

/**
 * The fields of a body that ask for something which the model does not do.
 *
 * @param body a body that holds to its schema
 * @throws CalmError unsupported, naming the first of them, where `strict`
 */
export function findIgnoredParams(
  body: Readonly<Record<string, unknown>>,
  model: ServedModel,
  strict: boolean,
): readonly string[] {
  const ignored = Object.entries(knownParams)
    .filter(([name, { isNeutral }]) => body[name] != null && !isNeutral(body[name]))
    .map(([name]) => name);
  const first = ignored[0];
  if (strict && first !== undefined) throw refuse(first, body[first], model);
  return ignored;
}

/** Tells the client by a header and the operator by the log. */
export function surfaceIgnoredParams(
  context: Context<ServerEnv>,
  server: ServerContext,
  ignored: readonly string[],
): void {
  if (ignored.length === 0) return;
  context.header('x-calm-ignored-params', ignored.join(', '));
  context.get('record').ignoredParams = ignored;
  server.onIgnoredParams?.(ignored, context.get('requestId'));
}

function refuse(name: string, value: unknown, model: ServedModel): CalmError {
  const { neutral, reason } = knownParams[name] as KnownParam;
  return new CalmError(
    'unsupported',
    `\`${name}\` must be ${neutral} or left out for ${model.id}: ${reason}. ` + `Given: ${excerpt(value)}.`,
    { param: name },
  );
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}
