/** What the server knows of a model that it serves, and how a request's `model` finds one. */
import { CalmError } from '../../errors.js';
import type { Engine } from '../../runtime/engine.js';
import type { GenerationDefaults } from '../../runtime/manifest.js';
import type { ChatTemplate } from '../../tokenizer/chat-template.js';
import type { Encoding } from '../../tokenizer/encoding.js';

/** A loaded model under the name that clients use. */
export interface ServedModel {
  readonly id: string;
  readonly kind: 'calm' | 'token';
  /** Seconds since 1970 at which the package was made. */
  readonly created: number;
  /** Tokens a chunk, K. */
  readonly chunkSize: number;
  readonly vocabSize: number;
  /** Tokens that prompt and completion together may hold. */
  readonly maxModelLen: number;
  /** Token that starts a document; the engine puts it in front of prompts. */
  readonly bosTokenId: number;
  /** Tokens that end a document: the end of text and the start of another one. */
  readonly endTokenIds: readonly number[];
  /** Null where the package has no tokenizer: such a model speaks token ids. */
  readonly encoding: Encoding | null;
  /** The tokenizer's own, or the plain one. */
  readonly chatTemplate: ChatTemplate;
  readonly defaults: GenerationDefaults;
  readonly engine: Pick<Engine, 'check' | 'submit' | 'stats'>;
  /** Choices that the engine can hold at a time, running and waiting: more in one request could never be admitted. */
  readonly maxChoices: number;
}

/** How names that are no model's own are taken. */
export interface ModelNaming {
  /** Further names of served models: alias to id. */
  readonly aliases?: ReadonlyMap<string, string>;
  /** Any other name means the first model, for clients whose model name cannot be set. */
  readonly anyModel?: boolean;
}

/** The served models by name; the first one answers requests that name none. */
export class ServedModels {
  readonly #models: ReadonlyMap<string, ServedModel>;
  readonly #naming: ModelNaming;
  readonly #first: ServedModel;

  /** @throws CalmError bad_usage for a name that is given twice and for an alias of a model that is not served */
  constructor(models: readonly [ServedModel, ...ServedModel[]], naming: ModelNaming = {}) {
    this.#models = new Map(models.map(model => [model.id, model]));
    this.#naming = naming;
    this.#first = models[0];
    if (this.#models.size < models.length) {
      throw new CalmError(
        'bad_usage',
        `Two models would be served under one name: ${models.map(model => model.id).join(', ')}. ` +
          'Give each a name of its own with --served-model-name.',
      );
    }
    for (const [alias, id] of naming.aliases ?? []) this.#checkAlias(alias, id);
  }

  list(): readonly ServedModel[] {
    return [...this.#models.values()];
  }

  /** The same names for models that `change` makes of these. */
  map(change: (model: ServedModel) => ServedModel): ServedModels {
    return new ServedModels(this.list().map(change) as [ServedModel, ...ServedModel[]], this.#naming);
  }

  /** Further names of a model. */
  aliasesOf(model: ServedModel): readonly string[] {
    return [...(this.#naming.aliases ?? [])].filter(([, id]) => id === model.id).map(([alias]) => alias);
  }

  /**
   * @param id a served name; null, undefined or '' mean the first model
   * @throws CalmError model_not_found, naming what is served
   */
  get(id: string | null | undefined): ServedModel {
    if (!id) return this.#first;
    const { aliases, anyModel } = this.#naming;
    const model = this.#models.get(id) ?? this.#models.get(aliases?.get(id) ?? '');
    if (model) return model;
    if (anyModel) return this.#first;
    const names = [...this.#models.keys(), ...(aliases?.keys() ?? [])];
    const served = names.map(name => JSON.stringify(name)).join(', ');
    throw new CalmError(
      'model_not_found',
      `The model ${JSON.stringify(id.slice(0, 200))} is not served here. Served: ${served}.`,
      { param: 'model' },
    );
  }

  #checkAlias(alias: string, id: string): void {
    if (this.#models.has(alias)) {
      throw new CalmError(
        'bad_usage',
        `The name ${JSON.stringify(alias)} is a model's own and cannot be an alias.`,
      );
    }
    if (!this.#models.has(id)) {
      throw new CalmError(
        'bad_usage',
        `The alias ${JSON.stringify(alias)} names the model ${JSON.stringify(id)}, which is not served.`,
      );
    }
  }
}
