/** Starts the server in this process on a free port, with the official client pointed at it. */
import OpenAI from 'openai';
import { Engine } from '../../src/runtime/engine.js';
import type { SocketTimeouts, TlsIdentity } from '../../src/server/http/open-server.js';
import { listen, type RunningServer } from '../../src/server/listen.js';
import { type ModelNaming, type ServedModel, ServedModels } from '../../src/server/models/served-model.js';
import { Lifecycle } from '../../src/server/requests/lifecycle.js';
import { type MonitorOptions, RequestMonitor } from '../../src/server/requests/request-monitor.js';
import type { ServerContext } from '../../src/server/server-context.js';
import type { RequestSummary } from '../../src/server/telemetry/request-record.js';
import { openPlainChatTemplate } from '../../src/tokenizer/chat-template-plain.js';
import type { Encoding } from '../../src/tokenizer/encoding.js';
import { openByteEncoding } from './byte-encoding.js';
import { bosTokenId, eosTokenId, FakeModel, type FakeModelOptions } from './fake-model.js';

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly client: OpenAI;
  readonly running: RunningServer;
  readonly lifecycle: Lifecycle;
  readonly monitor: RequestMonitor;
  /** What the server wrote into its log of failures. */
  readonly failures: unknown[];
  /** The requests that are over, as the access log has them. */
  readonly requests: RequestSummary[];
}

/** What a test may set of the server: its context, and how models are named. */
export interface TestServerOptions extends Partial<ServerContext> {
  readonly naming?: ModelNaming;
  readonly limits?: MonitorOptions;
  readonly timeouts?: SocketTimeouts;
  readonly tls?: TlsIdentity;
}

/** Serves the given models; closing the server leaves them open. */
export async function startServer(
  models: readonly [ServedModel, ...ServedModel[]],
  { naming, limits, timeouts, tls, ...context }: TestServerOptions = {},
): Promise<TestServer> {
  const lifecycle = new Lifecycle();
  const failures: unknown[] = [];
  const requests: RequestSummary[] = [];
  const monitor = new RequestMonitor({ ...limits, onRequestDone: summary => requests.push(summary) });
  const running = await listen(
    {
      maxBodyBytes: 4 * 2 ** 20,
      logFault: error => failures.push(error),
      ...context,
      models: new ServedModels(models, naming),
      lifecycle,
      monitor,
    },
    { host: '127.0.0.1', port: 0, ...timeouts, ...(tls ? { tls } : {}) },
  );
  return {
    url: running.url,
    client: new OpenAI({ baseURL: `${running.url}/v1`, apiKey: 'none', maxRetries: 0 }),
    running,
    lifecycle,
    monitor,
    failures,
    requests,
    [Symbol.asyncDispose]: () => running.close(0),
  };
}

export interface FakeServer extends TestServer {
  readonly engine: Engine;
  readonly model: FakeModel;
  /** What the server knows of the model. */
  readonly served: ServedModel;
  /** Chunks that the HTTP layer has taken from the engine. */
  chunksRead(): number;
}

export interface FakeServerOptions extends Partial<FakeModelOptions>, TestServerOptions {
  readonly maxWaiting?: number;
  readonly hasTokenizer?: boolean;
  /** What the server is to know of the model, where it is not the usual. */
  readonly served?: Partial<ServedModel>;
}

/** Serves a fake model of 8 slots named "fake", K = 4, one token a byte. */
export async function startFakeServer(options: FakeServerOptions = {}): Promise<FakeServer> {
  const { slotCount = 8, contextChunks = 512, scripts, maxWaiting = 512, hasTokenizer = true } = options;
  const { served, ...context } = options;
  const model = new FakeModel({ slotCount, contextChunks, ...(scripts ? { scripts } : {}) });
  const engine = new Engine(model, { bosTokenId, maxWaiting, prefillChunksPerStep: 4096 });
  const encoding = hasTokenizer ? openByteEncoding() : null;
  const fake = { ...fakeServedModel(model, engine, encoding, maxWaiting), ...served };
  const server = await startServer([fake], context);
  return {
    ...server,
    engine,
    model,
    served: fake,
    chunksRead: () => engine.stats().generatedChunks - server.monitor.metrics.unreadChunks,
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
    bosTokenId,
    endTokenIds: [eosTokenId, bosTokenId],
    encoding,
    chatTemplate: openPlainChatTemplate(),
    defaults: {},
    engine,
    maxChoices: model.slotCount + maxWaiting,
  };
}
