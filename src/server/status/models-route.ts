/** GET /v1/models and GET /v1/models/{id}. */
import type { ServedModel } from '../models/served-model.js';
import type { ServerContext } from '../server-context.js';

function describeModel(server: ServerContext, model: ServedModel) {
  const aliases = server.models.aliasesOf(model);
  return {
    id: model.id,
    object: 'model',
    created: model.created,
    owned_by: 'calm-serve',
    status: 'ready',
    max_model_len: model.maxModelLen,
    ...(aliases.length > 0 ? { aliases } : {}),
    meta: {
      kind: model.kind,
      chunk_size: model.chunkSize,
      n_vocab: model.vocabSize,
      defaults: model.defaults,
    },
  };
}

/** OpenAI's list of models. */
export function listModels(server: ServerContext) {
  return { object: 'list', data: server.models.list().map(model => describeModel(server, model)) };
}

/** One model, by its name or an alias; a name may hold slashes, and a slash at the end does not count. */
export function showModel(server: ServerContext, id: string) {
  return describeModel(server, server.models.get(id.replace(/\/$/, '')));
}
