/** Loads the models, listens, and goes when it is told to. */
import { CalmError } from '../errors.js';
import type { SocketTimeouts } from '../server/http/open-server.js';
import { listenWhileLoading, type RunningServer } from '../server/listen.js';
import type { LoadingModel } from '../server/loading-app.js';
import { type ModelNaming, type ServedModel, ServedModels } from '../server/models/served-model.js';
import { Lifecycle } from '../server/requests/lifecycle.js';
import { RequestMonitor } from '../server/requests/request-monitor.js';
import { createLog, type Log } from '../server/telemetry/log.js';
import type { RequestSummary } from '../server/telemetry/request-record.js';
import { gatherApiKeys } from './api-keys.js';
import { type ModelChoice, openModelsAside } from './open-models.js';
import type { ServeSettings } from './settings.js';
import { readTlsFiles } from './tls-files.js';

/** Serves until SIGINT or SIGTERM, and resolves when everything is closed. */
export async function runServer(
  choices: readonly [ModelChoice, ...ModelChoice[]],
  settings: ServeSettings,
): Promise<void> {
  const log = createLog(chooseFormat(settings), line => process.stderr.write(line));
  const apiKeys = gatherApiKeys(settings);
  const tls = readTlsFiles(settings);
  const naming = readNaming(settings);
  const stopExiting = exitOnSignal();
  let loading: readonly LoadingModel[] = [];
  const running = await listenWhileLoading(
    { ...settings, ...socketTimeouts(settings), ...(tls ? { tls } : {}) },
    {
      models: () => loading,
      apiKeys,
      allowedOrigins: settings.allowedOrigins,
      disablePlayground: settings.disablePlayground,
    },
  );
  try {
    // One turn, in which probes that wait already get their answer: packages and tokenizers are read on this thread.
    await new Promise(resolve => setImmediate(resolve));
    const options = { ...settings, onNote: (note: string) => log.note(note) };
    await using opened = await openModelsAside(choices, options, models => {
      loading = models;
    });
    const monitor = new RequestMonitor({
      maxUnreadChunks: settings.maxUnreadChunks,
      onRequestDone: summary => {
        if (isLogged(summary, settings)) log.request(summary);
      },
    });
    monitor.metrics.includeProcess();
    running.serve({
      models: new ServedModels(opened.models, naming),
      lifecycle: new Lifecycle(),
      monitor,
      apiKeys,
      allowedOrigins: settings.allowedOrigins,
      maxBodyBytes: settings.maxBodySize,
      ...(settings.requestTimeout > 0 ? { requestTimeoutMs: settings.requestTimeout * 1000 } : {}),
      strictParams: settings.strictParams,
      streamGranularity: settings.streamGranularity,
      keepAliveCommentMs: settings.sseKeepAliveInterval * 1000,
      disablePlayground: settings.disablePlayground,
      nativeVersion: opened.nativeVersion,
      logFault: (error, requestId) => log.fault(describeFault(error), requestId),
    });
    process.stdout.write(describeReady(running, opened.models, apiKeys));
    noteOpenDoor(settings, apiKeys, log);
    stopExiting();
    await untilStopped(running, settings.shutdownTimeout * 1000, log);
  } finally {
    stopExiting();
    await running.close(0);
  }
}

function chooseFormat({ logFormat }: ServeSettings): 'json' | 'text' {
  if (logFormat !== 'auto') return logFormat;
  return process.stderr.isTTY ? 'text' : 'json';
}

function isLogged({ path }: RequestSummary, { disableAccessLogFor }: ServeSettings): boolean {
  return !disableAccessLogFor.includes('*') && !disableAccessLogFor.includes(path);
}

function socketTimeouts(settings: ServeSettings): SocketTimeouts {
  return {
    keepAliveTimeoutMs: settings.keepAliveTimeout * 1000,
    headersTimeoutMs: settings.headersTimeout * 1000,
    receiveTimeoutMs: settings.receiveTimeout * 1000,
    stalledReaderTimeoutMs: settings.stalledReaderTimeout * 1000,
  };
}

function readNaming({ modelAlias = [], anyModel }: ServeSettings): ModelNaming {
  const pairs = modelAlias.map((text): [string, string] => {
    const at = text.indexOf('=');
    if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
    throw new CalmError('bad_usage', `--model-alias must be alias=name. Given: ${JSON.stringify(text)}.`);
  });
  return { aliases: new Map(pairs), anyModel };
}

/**
 * While models load there is nothing to finish. The handler is for containers: their first process is not sent a signal
 * that it has no handler for.
 */
function exitOnSignal(): () => void {
  const exit = (): never => process.exit(0);
  process.on('SIGINT', exit);
  process.on('SIGTERM', exit);
  return () => {
    process.off('SIGINT', exit);
    process.off('SIGTERM', exit);
  };
}

/** The first signal lets running requests finish, a second one ends them. */
function untilStopped(running: RunningServer, drainMs: number, log: Log): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    let isStopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      log.note(
        isStopping
          ? `${signal} again: ending what still runs.`
          : `${signal}: no new requests; those that run get ${drainMs / 1000} s to finish. Once more to end them now.`,
      );
      running.close(isStopping ? 0 : drainMs).then(resolve, reject);
      isStopping = true;
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
  }).finally(() => {
    process.removeAllListeners('SIGINT');
    process.removeAllListeners('SIGTERM');
  });
}

function noteOpenDoor({ host }: ServeSettings, apiKeys: readonly string[], log: Log): void {
  if (apiKeys.length > 0 || ['127.0.0.1', '::1', 'localhost'].includes(host)) return;
  log.note(
    `No API key is set: everyone who reaches ${host} may use this server. Set one with --api-key-file.`,
  );
}

function describeReady(
  running: RunningServer,
  models: readonly ServedModel[],
  apiKeys: readonly string[],
): string {
  const names = models.map(describeModel).join(' and ');
  // performance.now() counts from the start of the process.
  const seconds = (performance.now() / 1000).toFixed(1);
  const example = models[0]?.encoding
    ? { prompt: 'Once upon a time', max_tokens: 64, stream: true }
    : { prompt: [1, 2, 3], max_tokens: 64, stream: true };
  const key = apiKeys.length > 0 ? ` -H "authorization: Bearer $CALM_API_KEY"` : '';
  // The certificate seldom names the address that this line does.
  const curl = running.url.startsWith('https:') ? 'curl -kN' : 'curl -N';
  return (
    `Serving ${names} on ${running.url} (ready in ${seconds} s). Try:\n` +
    `  ${curl} ${running.url}/v1/completions -H 'content-type: application/json'${key} -d '${JSON.stringify(example)}'\n`
  );
}

function describeModel({ id, kind, chunkSize }: ServedModel): string {
  return `${id} (${kind === 'calm' ? `CALM, ${chunkSize} tokens a step` : 'token model'})`;
}

function describeFault(error: unknown): string {
  return error instanceof Error ? describeCauses(error) : String(error);
}

function describeCauses(error: Error): string {
  const text = (process.env.CALM_DEBUG === '1' ? error.stack : undefined) ?? error.message;
  return error.cause instanceof Error ? `${text} (because: ${describeCauses(error.cause)})` : text;
}
