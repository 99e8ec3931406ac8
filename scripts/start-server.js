/** `calm serve` in a process of its own, for the scripts. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../bin/calm.js', import.meta.url));

/**
 * Starts it on a free port and waits until its models are loaded.
 *
 * @param {readonly string[]} options of `calm serve`
 * @param {object} [settings]
 * @param {readonly string[]} [settings.nodeOptions]
 * @param {Readonly<Record<string, string>>} [settings.environment] variables beside those of this process
 * @param {boolean} [settings.keepsLog] keeps what it writes on standard error, instead of passing it on
 * @returns its address, its pid, what it has logged, and `end`, which lets it drain and gives its exit code
 * @throws with the last words of a kept log where the server ends before it is ready
 */
export async function startServer(options, { nodeOptions = [], environment = {}, keepsLog = false } = {}) {
  const child = spawn(process.execPath, [...nodeOptions, program, 'serve', '--port', '0', ...options], {
    stdio: ['ignore', 'pipe', keepsLog ? 'pipe' : 'inherit'],
    env: { ...process.env, ...environment },
  });
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', text => {
    log += text;
  });
  const ended = new Promise(resolve => child.once('close', resolve));
  const url = await new Promise((resolve, reject) => {
    ended.then(code => {
      reject(new Error(log.trim().split('\n').at(-1) || `the server ended with code ${code}`));
    });
    createInterface(child.stdout).on('line', line => {
      const found = /on (https?:\S+) \(ready/.exec(line)?.[1];
      if (found) resolve(found);
    });
  });
  const end = () => {
    child.kill('SIGTERM');
    return ended;
  };
  return { url, pid: child.pid, log: () => log, end };
}
