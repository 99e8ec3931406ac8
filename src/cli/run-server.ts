/** Loads the models, listens, and goes when it is told to. */
import { Lifecycle } from '../server/lifecycle.js';
import { listen, type RunningServer } from '../server/listen.js';
import { type ServedModel, ServedModels } from '../server/served-model.js';
import type { ModelOptions } from './model-options.js';
import { type ModelChoice, openModels } from './open-models.js';

/** Values of `calm serve`'s options. */
export interface ServeOptions extends ModelOptions {
  readonly model?: readonly string[];
  readonly servedModelName?: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly maxWaiting: number;
  /** Seconds. */
  readonly shutdownTimeout: number;
}

/** Above this a request is refused with 413. */
const maxBodyBytes = 4 * 2 ** 20;

/** Serves until SIGINT or SIGTERM, and resolves when everything is closed. */
export async function runServer(
  choices: readonly [ModelChoice, ...ModelChoice[]],
  options: ServeOptions,
): Promise<void> {
  await using opened = openModels(choices, { ...options, onNote: log });
  const running = await listen(
    { models: new ServedModels(opened.models), lifecycle: new Lifecycle(), maxBodyBytes, logFault },
    options,
  );
  process.stdout.write(describeReady(running, opened.models));
  await untilStopped(running, options.shutdownTimeout * 1000);
}

/** The first signal lets running requests finish, a second one ends them. */
function untilStopped(running: RunningServer, drainMs: number): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    let isStopping = false;
    const stop = (signal: NodeJS.Signals): void => {
      log(
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

function describeReady(running: RunningServer, models: readonly ServedModel[]): string {
  const names = models.map(describeModel).join(' and ');
  // performance.now() counts from the start of the process.
  const seconds = (performance.now() / 1000).toFixed(1);
  const example = models[0]?.encoding
    ? { prompt: 'Once upon a time', max_tokens: 64, stream: true }
    : { prompt: [1, 2, 3], max_tokens: 64, stream: true };
  return (
    `Serving ${names} on ${running.url} (ready in ${seconds} s). Try:\n` +
    `  curl -N ${running.url}/v1/completions -H 'content-type: application/json' -d '${JSON.stringify(example)}'\n`
  );
}

function describeModel({ id, kind, chunkSize }: ServedModel): string {
  return `${id} (${kind === 'calm' ? `CALM, ${chunkSize} tokens a step` : 'token model'})`;
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The request's id is in its answer too, so that a user's report leads here. */
function logFault(error: unknown, requestId: string): void {
  const detail = error instanceof Error ? describeCauses(error) : String(error);
  log(`${new Date().toISOString()} ${requestId} failed: ${detail}`);
}

function describeCauses(error: Error): string {
  const text = (process.env.CALM_DEBUG === '1' ? error.stack : undefined) ?? error.message;
  return error.cause instanceof Error ? `${text} (because: ${describeCauses(error.cause)})` : text;
}
