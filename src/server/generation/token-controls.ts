/** From the fields of a request to the sampler's token controls. Both kinds of models honour them: docs/sampling.md. */
import { CalmError } from '../../errors.js';
import type { TokenControls } from '../../sampler/settings.js';
import { BANNING_BIAS } from '../../sampler/token-sampling/adjust-logits.js';
import { excerpt } from '../excerpt.js';
import type { ServedModel } from '../models/served-model.js';
import type { GenerationFields } from './generation-fields.js';

/**
 * The controls that a request asks for; undefined for none, which keeps a row on the fast path.
 *
 * @param fields whose types and ranges hold
 * @throws CalmError invalid_request for biases of tokens that there are not, and for those that forbid every token
 */
export function readTokenControls(fields: GenerationFields, model: ServedModel): TokenControls | undefined {
  const wanted = (value: number | null | undefined, ...neutral: readonly number[]): number | undefined =>
    value === null || value === undefined || neutral.includes(value) ? undefined : value;
  const all = {
    topP: wanted(fields.top_p, 1),
    topK: wanted(fields.top_k, 0, -1),
    minP: wanted(fields.min_p, 0),
    presencePenalty: wanted(fields.presence_penalty, 0),
    frequencyPenalty: wanted(fields.frequency_penalty, 0),
    repetitionPenalty: wanted(fields.repetition_penalty, 1),
    minTokens: wanted(fields.min_tokens, 0),
    logitBias: readLogitBias(fields.logit_bias, model),
  };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  return given.length === 0 ? undefined : (Object.fromEntries(given) as TokenControls);
}

/** Biases of 0 are left out, whatever they are the biases of: clients send `{"foo": 0}`. */
function readLogitBias(
  bias: GenerationFields['logit_bias'],
  model: ServedModel,
): ReadonlyMap<number, number> | undefined {
  const entries = Object.entries(bias ?? {}).filter(([, value]) => value !== 0);
  if (entries.length === 0) return undefined;
  return new Map(entries.map(([key, value]) => [readTokenId(key, model), value]));
}

function readTokenId(key: string, { id, vocabSize }: ServedModel): number {
  const token = /^\d{1,9}$/.test(key) ? Number(key) : Number.NaN;
  if (token < vocabSize) return token;
  throw new CalmError(
    'invalid_request',
    `The keys of \`logit_bias\` must be token ids of ${id}, from 0 to ${vocabSize - 1}. Given: ${excerpt(key)}.`,
    { param: 'logit_bias' },
  );
}

/**
 * @param stopTokenIds which `minTokens` forbids at first
 * @throws CalmError invalid_request where no token is left to generate
 */
export function checkSomethingIsLeft(
  { logitBias, minTokens = 0 }: TokenControls,
  stopTokenIds: readonly number[],
  { id, vocabSize }: ServedModel,
): void {
  const banned = new Set(minTokens > 0 ? stopTokenIds : []);
  for (const [token, bias] of logitBias ?? []) if (bias <= BANNING_BIAS) banned.add(token);
  if (banned.size < vocabSize) return;
  throw new CalmError(
    'invalid_request',
    `\`logit_bias\` must leave a token that may be generated: all ${vocabSize} of ${id} are forbidden by a bias of ` +
      `${BANNING_BIAS}${minTokens > 0 ? ' or, as the end of the text, by `min_tokens`' : ''}.`,
    { param: 'logit_bias' },
  );
}
