/** Starts the server in this process on a free port, with the official client pointed at it. */
import OpenAI from 'openai';
import { Engine } from '../../src/runtime/engine.js';
import { Lifecycle } from '../../src/server/lifecycle.js';
import { listen, type RunningServer } from '../../src/server/listen.js';
import { type ServedModel, ServedModels } from '../../src/server/served-model.js';
import type { Encoding } from '../../src/tokenizer/encoding.js';
import { openByteEncoding } from './byte-encoding.js';
import { bosTokenId, eosTokenId, FakeModel, type FakeModelOptions } from './fake-model.js';

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly client: OpenAI;
  readonly running: RunningServer;
  readonly lifecycle: Lifecycle;
  /** What the server wrote into its log. */
  readonly failures: unknown[];
}

/** Serves the given models; closing the server leaves them open. */
export async function startServer(
  models: readonly [ServedModel, ...ServedModel[]],
  options: { readonly maxBodyBytes?: number } = {},
): Promise<TestServer> {
  const lifecycle = new Lifecycle();
  const failures: unknown[] = [];
  const running = await listen(
    {
      models: new ServedModels(models),
      lifecycle,
      maxBodyBytes: options.maxBodyBytes ?? 4 * 2 ** 20,
      logFault: error => failures.push(error),
    },
    { host: '127.0.0.1', port: 0 },
  );
  return {
    url: running.url,
    client: new OpenAI({ baseURL: `${running.url}/v1`, apiKey: 'none', maxRetries: 0 }),
    running,
    lifecycle,
    failures,
    [Symbol.asyncDispose]: () => running.close(0),
  };
}

export interface FakeServer extends TestServer {
  readonly engine: Engine;
  readonly model: FakeModel;
  /** Chunks that the HTTP layer has taken from the engine. */
  chunksRead(): number;
}

/** Serves a fake model of 8 slots named "fake", K = 4, one token a byte. */
export async function startFakeServer(
  options: Partial<FakeModelOptions> & {
    readonly maxWaiting?: number;
    readonly hasTokenizer?: boolean;
    readonly maxBodyBytes?: number;
  } = {},
): Promise<FakeServer> {
  const model = new FakeModel({ slotCount: 8, contextChunks: 512, ...options });
  const maxWaiting = options.maxWaiting ?? 512;
  const engine = new Engine(model, { bosTokenId, maxWaiting, prefillChunksPerStep: 4096 });
  const encoding = (options.hasTokenizer ?? true) ? openByteEncoding() : null;
  let chunksRead = 0;
  const submit: Engine['submit'] = (request, signal) => {
    const chunks = engine.submit(request, signal);
    return (async function* () {
      for await (const chunk of chunks) {
        chunksRead += 1;
        yield chunk;
      }
    })();
  };
  const countingEngine = { submit, check: engine.check.bind(engine), stats: engine.stats.bind(engine) };
  const server = await startServer([fakeServedModel(model, countingEngine, encoding, maxWaiting)], options);
  return {
    ...server,
    engine,
    model,
    chunksRead: () => chunksRead,
    async [Symbol.asyncDispose]() {
      model.resume();
      await server.running.close(0);
      await engine.close();
      encoding?.close();
    },
  };
}

function fakeServedModel(
  model: FakeModel,
  engine: ServedModel['engine'],
  encoding: Encoding | null,
  maxWaiting: number,
): ServedModel {
  return {
    id: 'fake',
    kind: 'calm',
    created: 1_700_000_000,
    chunkSize: model.chunkSize,
    vocabSize: model.vocabSize,
    maxModelLen: model.contextChunks * model.chunkSize,
    endTokenIds: [eosTokenId, bosTokenId],
    encoding,
    defaults: {},
    engine,
    maxChoices: model.slotCount + maxWaiting,
  };
}
