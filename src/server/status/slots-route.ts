/** GET /props and GET /slots: what front ends of llama-server ask before they send a first prompt. */
import type { Context } from 'hono';
import { CalmError } from '../../errors.js';
import { requestDefaults } from '../models/request-defaults.js';
import type { ServedModel } from '../models/served-model.js';
import { describeSpecialTokens } from '../models/special-tokens.js';
import type { ServerEnv } from '../requests/request-signal.js';
import type { ServerContext } from '../server-context.js';
import { readVersion } from './version.js';

/** What llama-server calls a random seed. */
const anySeed = 2 ** 32 - 1;

/** A model's context, slots, defaults and chat template, under llama-server's names. */
export function answerProps(context: Context<ServerEnv>, server: ServerContext): Response {
  const model = server.models.get(context.req.query('model'));
  const { bos_token, eos_token } = describeSpecialTokens(model);
  return context.json({
    default_generation_settings: {
      id: 0,
      n_ctx: model.maxModelLen,
      speculative: false,
      is_processing: false,
      params: describeDefaults(model),
    },
    total_slots: model.engine.stats().slotCount,
    model_alias: model.id,
    // The name, because the path is nobody's business.
    model_path: model.id,
    chat_template: model.chatTemplate.text,
    bos_token,
    eos_token,
    modalities: { vision: false, audio: false },
    endpoint_slots: true,
    endpoint_props: false,
    endpoint_metrics: true,
    build_info: `calm-serve ${readVersion()}`,
    is_sleeping: false,
  });
}

/**
 * The slots of a model and which of them are taken: those in use are always the first ones. What runs in them is for
 * nobody else to know.
 *
 * @throws CalmError no_slot where all are taken and `fail_on_no_slot` asks
 */
export function answerSlots(context: Context<ServerEnv>, server: ServerContext): Response {
  const model = server.models.get(context.req.query('model'));
  const { slotCount, leasedSlots } = model.engine.stats();
  if (leasedSlots >= slotCount && isWanted(context.req.query('fail_on_no_slot'))) {
    throw new CalmError('no_slot', `No slot of ${model.id} is free; it has ${slotCount}.`);
  }
  return context.json(
    Array.from({ length: slotCount }, (_, id) => ({
      id,
      n_ctx: model.maxModelLen,
      speculative: false,
      is_processing: id < leasedSlots,
    })),
  );
}

function isWanted(flag: string | undefined): boolean {
  return flag !== undefined && !['', '0', 'false'].includes(flag);
}

function describeDefaults(model: ServedModel) {
  const { temperature, maxTokens, numCandidates } = requestDefaults(model);
  return {
    n_predict: maxTokens,
    max_tokens: maxTokens,
    seed: anySeed,
    temperature,
    top_k: 0,
    top_p: 1,
    min_p: 0,
    repeat_penalty: 1,
    presence_penalty: 0,
    frequency_penalty: 0,
    stop: [],
    ignore_eos: false,
    stream: false,
    ...(model.kind === 'calm' ? { num_candidates: numCandidates } : {}),
  };
}
