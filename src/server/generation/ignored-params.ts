/** Fields that the server knows but a model cannot honour: ignored and said so, or refused where it is to be strict. */
import { CalmError } from '../../errors.js';
import { excerpt } from '../excerpt.js';
import type { ServedModel } from '../models/served-model.js';

type Body = Readonly<Record<string, unknown>>;

interface KnownParam {
  /** True for values that ask for nothing. */
  isNeutral(value: unknown, body: Body): boolean;
  /** The neutral value, for the sentence that refuses others. */
  readonly neutral: string;
  /** Why no model here honours it. */
  readonly reason: string;
}

/** A field that asks for nothing with one of these values. */
function neutralAt(values: readonly unknown[], reason: string): KnownParam {
  const neutral = values.map(value => JSON.stringify(value)).join(' or ');
  return { isNeutral: value => values.includes(value), neutral, reason };
}

/** llama-server's name of a field: whoever sends both means the one that is honoured. */
function otherName(name: string, ...values: readonly unknown[]): KnownParam {
  return {
    isNeutral: (value, body) => values.includes(value) || (body[name] ?? null) !== null,
    neutral: values.length > 0 ? values.join(' or ') : 'null',
    reason: `its name here is \`${name}\``,
  };
}

const trainedForNoTools = 'it was not trained to call tools';
const noTools = { isNeutral: isEmpty, neutral: 'empty', reason: trainedForNoTools };
const noToolChoice = neutralAt(['none', 'auto'], trainedForNoTools);
const noGrammar = neutralAt([''], 'its text cannot be bound to a format');
const noWordLists = { isNeutral: isEmpty, neutral: 'empty', reason: 'ban tokens with `logit_bias`' };
const noSuchSampler = 'its sampler is not one of those here';
const textOnly = 'models here read and write text alone';
const fixedTemplate = "the model's own chat template is used as it is";

/** By name: OpenAI's fields, then vLLM's, then llama-server's. */
const knownParams: Readonly<Record<string, KnownParam>> = {
  suffix: neutralAt([''], 'it continues texts and fills no gaps'),
  response_format: {
    ...noGrammar,
    isNeutral: value => (value as { type?: unknown }).type === 'text',
    neutral: '{"type": "text"}',
  },
  tools: noTools,
  tool_choice: noToolChoice,
  functions: noTools,
  function_call: noToolChoice,
  modalities: {
    isNeutral: value => Array.isArray(value) && value.every(modality => modality === 'text'),
    neutral: '["text"]',
    reason: textOnly,
  },
  audio: neutralAt([null], textOnly),
  web_search_options: neutralAt([null], 'nothing is searched here'),
  structured_outputs: noGrammar,
  guided_json: noGrammar,
  guided_regex: noGrammar,
  guided_choice: noGrammar,
  guided_grammar: noGrammar,
  bad_words: noWordLists,
  allowed_token_ids: noWordLists,
  use_beam_search: neutralAt([false], 'texts are drawn here; `best_of` chooses among several'),
  length_penalty: neutralAt([1], 'texts are drawn here, without beams'),
  logits_processors: { isNeutral: isEmpty, neutral: 'empty', reason: 'code of clients is not run here' },
  skip_special_tokens: neutralAt([true], 'special tokens have no text; `return_token_ids` shows them'),
  stream_interval: neutralAt([1], 'an event is a chunk, or with `stream_granularity` a token'),
  chat_template: neutralAt([''], fixedTemplate),
  add_generation_prompt: neutralAt([true], fixedTemplate),
  continue_final_message: neutralAt([false], 'an answer is a message of its own'),
  cache_salt: neutralAt(
    [''],
    "all clients' prompts share the cache of their beginnings; --prefix-cache-memory 0 turns it off",
  ),
  priority: neutralAt([0], 'requests are served in the order in which they come'),
  grammar: noGrammar,
  json_schema: noGrammar,
  n_predict: otherName('max_tokens', -1),
  repeat_penalty: otherName('repetition_penalty', 1),
  n_probs: otherName('logprobs', 0),
  mirostat: neutralAt([0], noSuchSampler),
  typical_p: neutralAt([1], noSuchSampler),
  xtc_probability: neutralAt([0], noSuchSampler),
  dry_multiplier: neutralAt([0], noSuchSampler),
  dynatemp_range: neutralAt([0], noSuchSampler),
};

/**
 * The fields of a body that ask for something which the model does not do.
 *
 * @param body a body that holds to its schema
 * @throws CalmError unsupported, naming the first of them, where `strict`
 */
export function findIgnoredParams(body: Body, model: ServedModel, strict: boolean): readonly string[] {
  const ignored = Object.entries(knownParams)
    .filter(([name, { isNeutral }]) => body[name] != null && !isNeutral(body[name], body))
    .map(([name]) => name);
  const first = ignored[0];
  if (strict && first !== undefined) throw refuse(first, body[first], model);
  return ignored;
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
