/** Starts this project's server in a process of its own, on a free port, for runs that name no target. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../usage-error.js';

/** The command line of this project. */
const program = fileURLToPath(new URL('../../bin/calm.js', import.meta.url));

/** Lines of the server's log that are kept for a sentence about its end. */
const keptLogLines = 5;

export interface OwnServer extends AsyncDisposable {
  readonly baseUrl: string;
  readonly pid: number;
}

/**
 * Resolves once the server takes requests.
 *
 * @param options handed to `calm serve` as they are
 * @throws UsageError with the server's own words where it does not start
 */
export async function startOwnServer(options: readonly string[], file = program): Promise<OwnServer> {
  const child = spawn(process.execPath, [file, 'serve', '--port', '0', ...options], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = (): void => void child.kill('SIGKILL');
  process.once('exit', stop);
  try {
    const baseUrl = await untilReady(child);
    return {
      baseUrl,
      pid: child.pid ?? 0,
      [Symbol.asyncDispose]: () => end(child).finally(() => process.removeListener('exit', stop)),
    };
  } catch (error) {
    stop();
    process.removeListener('exit', stop);
    throw error;
  }
}

function untilReady(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child;
  if (!stdout || !stderr) throw new Error('The server was started without pipes.');
  const log: string[] = [];
  createInterface(stderr).on('line', line => {
    log.push(line);
    if (log.length > keptLogLines) log.shift();
  });
  return new Promise((resolve, reject) => {
    createInterface(stdout).on('line', line => {
      const url = /^Serving .* on (https?:\/\/\S+) \(ready/.exec(line)?.[1];
      if (url) resolve(url);
    });
    child.once('error', reject);
    // Not "exit": its last words may still be in the pipe then.
    child.once('close', code => {
      const words = log.length > 0 ? `: ${log.join(' ')}` : '.';
      reject(new UsageError(`The server that this run needs did not start (exit code ${code})${words}`));
    });
  });
}

/** Lets the server close by itself; it has nothing left to do. */
function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise(resolve => {
    child.once('close', () => resolve());
    child.kill('SIGTERM');
  });
}
