/** Wires packages, the native library, engines and tokenizers together: the one place where a model comes to life. */
import { readFileSync } from 'node:fs';
import { Engine } from '../runtime/engine.js';
import { type LoadedModel, type LoadOptions, loadModel, loadModelAside } from '../runtime/load-model.js';
import type { Manifest } from '../runtime/manifest.js';
import { type ModelPackage, openPackage, packageFile, resolvePackage } from '../runtime/open-package.js';
import { OrtEnvironment } from '../runtime/ort/environment.js';
import { OrtLibrary } from '../runtime/ort/library.js';
import type { LoadingModel } from '../server/loading-app.js';
import type { ServedModel } from '../server/models/served-model.js';
import { type Encoding, openEncoding } from '../tokenizer/encoding.js';
import { modelsFolder } from './default-models.js';
import type { ModelOptions } from './model-options.js';
import { readChatTemplate } from './read-chat-template.js';

export interface OpenOptions extends ModelOptions {
  /** Requests that may wait for a slot; the engine's default where it is left out. */
  readonly maxWaiting?: number;
  /** Bytes in which each model keeps beginnings of prompts; none where it is left out. */
  readonly prefixCacheMemory?: number;
  /** Candidates that one step draws for all texts together; as the decode's time allows where it is left out. */
  readonly drawsPerStep?: number | undefined;
  /** Candidates for one chunk after which the exact sampler gives up; the runtime's default where it is left out. */
  readonly exactDrawLimit?: number | undefined;
  /** File with a chat template that replaces those of the tokenizers. */
  readonly chatTemplate?: string | undefined;
  /** Is told in one sentence what a user should know, such as that a device could not be used. */
  readonly onNote?: (note: string) => void;
}

/** Which package to open, and the name to serve it under if not its own. */
export interface ModelChoice {
  /** A package's folder, or the name of one that comes with this program. */
  readonly model: string;
  readonly servedName?: string | undefined;
}

/** Models that run, and everything native behind them. */
export interface OpenModels extends AsyncDisposable {
  readonly models: readonly [ServedModel, ...ServedModel[]];
  /** Of ONNX Runtime, as the library says it. */
  readonly nativeVersion: string;
}

const defaultMaxWaiting = 512;

/**
 * Opens models on one environment, so that they share one thread pool.
 *
 * @throws CalmError bad_package, bad_tokenizer, bad_usage, device_unavailable or native; nothing stays open then
 */
export function openModels(
  choices: readonly [ModelChoice, ...ModelChoice[]],
  options: OpenOptions,
): OpenModels {
  const opening = beginOpening(choices, options);
  try {
    for (const { source, name } of opening.packages) {
      opening.add(
        openModel(source, name, options, loadModel(opening.environment, source, loadOptions(options))),
      );
    }
  } catch (error) {
    void opening.close();
    throw error;
  }
  return opening.models();
}

/**
 * The same for a server that answers probes meanwhile: graphs are opened on a worker thread.
 *
 * @param onProgress is told of all models at the start, and whenever one of them is ready
 */
export async function openModelsAside(
  choices: readonly [ModelChoice, ...ModelChoice[]],
  options: OpenOptions,
  onProgress: (models: readonly LoadingModel[]) => void,
): Promise<OpenModels> {
  const opening = beginOpening(choices, options);
  const tell = (readyCount: number): void =>
    onProgress(
      opening.packages.map(({ source: { manifest }, name }, index) => ({
        id: name,
        created: createdAt(manifest),
        status: index < readyCount ? 'ready' : 'loading',
      })),
    );
  try {
    for (const [index, { source, name }] of opening.packages.entries()) {
      tell(index);
      const loaded = await loadModelAside(opening.environment, source, loadOptions(options));
      opening.add(openModel(source, name, options, loaded));
    }
  } catch (error) {
    await opening.close();
    throw error;
  }
  return opening.models();
}

/** Models that are opened one after the other. */
interface Opening {
  readonly environment: OrtEnvironment;
  readonly packages: readonly { readonly source: ModelPackage; readonly name: string }[];
  add(model: OpenModel): void;
  models(): OpenModels;
  /** Closes what is open so far. */
  close(): Promise<void>;
}

function beginOpening(choices: readonly ModelChoice[], options: OpenOptions): Opening {
  const packages = choices.map(({ model, servedName }) => {
    const source = openPackage(resolvePackage(model, modelsFolder));
    return { source, name: servedName ?? source.manifest.name };
  });
  const library = OrtLibrary.load(options.ortLibrary);
  const environment = OrtEnvironment.open(library, { threads: options.threads });
  const opened: OpenModel[] = [];
  const close = async (): Promise<void> => {
    for (const { engine, served } of opened) {
      await engine.close();
      served.encoding?.close();
    }
    environment.close();
  };
  return {
    environment,
    packages,
    close,
    add: model => opened.push(model),
    models: () => ({
      models: opened.map(({ served }) => served) as [ServedModel, ...ServedModel[]],
      nativeVersion: library.version,
      [Symbol.asyncDispose]: close,
    }),
  };
}

function loadOptions(options: OpenOptions): LoadOptions {
  return {
    device: options.device,
    ...(options.maxNumSeqs === undefined ? {} : { slots: options.maxNumSeqs }),
    maxModelLen: options.maxModelLen,
    kvCacheMemoryBytes: options.kvCacheMemory,
    drawsPerStep: options.drawsPerStep,
    exactDrawLimit: options.exactDrawLimit,
  };
}

interface OpenModel {
  readonly engine: Engine;
  readonly served: ServedModel;
}

function openModel(
  source: ModelPackage,
  name: string,
  options: OpenOptions,
  { model, note }: LoadedModel,
): OpenModel {
  const { manifest } = source;
  const encoding = readEncoding(source);
  const chatTemplate = readChatTemplate(manifest, options.chatTemplate);
  if (note !== null) options.onNote?.(note);
  const maxWaiting = options.maxWaiting ?? defaultMaxWaiting;
  const prefixCacheBytes = options.prefixCacheMemory ?? 0;
  if (prefixCacheBytes > 0 && !model.rows) {
    options.onNote?.(
      `The prefix cache is off for ${manifest.name}: its rows lie on a device, not in CPU memory.`,
    );
  }
  const engine = new Engine(model, { bosTokenId: manifest.bos_token_id, maxWaiting, prefixCacheBytes });
  const served: ServedModel = {
    id: name,
    kind: manifest.kind,
    created: createdAt(manifest),
    chunkSize: model.chunkSize,
    vocabSize: model.vocabSize,
    maxModelLen: model.contextChunks * model.chunkSize,
    bosTokenId: manifest.bos_token_id,
    endTokenIds: endTokenIds(manifest),
    encoding,
    chatTemplate,
    defaults: { prompt_alignment: manifest.prompt_alignment, ...source.defaults },
    engine,
    maxChoices: model.slotCount + maxWaiting,
  };
  return { engine, served };
}

/** Seconds since 1970. */
function createdAt({ created }: Manifest): number {
  return Math.floor(Date.parse(created) / 1000);
}

function readEncoding(source: ModelPackage): Encoding | null {
  const { tokenizer } = source.manifest;
  if (tokenizer === null) return null;
  return openEncoding({
    ranks: readFileSync(packageFile(source, tokenizer.file)),
    pattern: tokenizer.pattern,
    specialTokens: tokenizer.special_tokens,
  });
}

/** A document ends at its end token, and where another one begins. */
function endTokenIds(manifest: Manifest): readonly number[] {
  return [...new Set([...manifest.eos_token_ids, manifest.bos_token_id])];
}
