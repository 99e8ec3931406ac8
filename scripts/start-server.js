/** `calm serve` in a process of its own, for the scripts. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../bin/calm.js', import.meta.url));

/**
 * Starts it on a free port and waits until its models are loaded.
 *
 * @param {readonly string[]} options of `calm serve`
 * @param {readonly string[]} nodeOptions
 * @returns its address, its pid, and `end`
 */
export async function startServer(options, nodeOptions = []) {
  const child = spawn(process.execPath, [...nodeOptions, program, 'serve', '--port', '0', ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise((resolve, reject) => {
    child.once('exit', code => reject(new Error(`the server ended with code ${code}`)));
    createInterface(child.stdout).on('line', line => {
      const found = /on (http:\S+) \(ready/.exec(line)?.[1];
      if (found) resolve(found);
    });
  });
  return { url, pid: child.pid, end: () => child.kill('SIGTERM') };
}
