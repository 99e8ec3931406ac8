/** `calm serve` with one model in a process of its own. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../bin/calm.js', import.meta.url));

/**
 * Starts it on a free port and waits until it is ready.
 *
 * @param {{ model: string, threads: number, nodeOptions?: string[] }} options
 * @returns its pid and port, what /v1/models says of the model, and `end`
 */
export async function startServer({ model, threads, nodeOptions = [] }) {
  const serve = ['serve', '--model', model, '--port', '0', '--threads', String(threads)];
  const quiet = ['--max-num-seqs', '32', '--prefix-cache-memory', '0', '--disable-access-log-for', '*'];
  const child = spawn(process.execPath, [...nodeOptions, program, ...serve, ...quiet], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await new Promise((resolve, reject) => {
    child.once('exit', code => reject(new Error(`the server ended with code ${code}`)));
    createInterface(child.stdout).on('line', line => {
      const found = /on http:\S+:(\d+) \(ready/.exec(line)?.[1];
      if (found) resolve(Number(found));
    });
  });
  const { data } = await (await fetch(`http://127.0.0.1:${port}/v1/models`)).json();
  return { pid: child.pid, port, model: data[0], end: () => child.kill('SIGTERM') };
}

/** Token ids spread over a vocabulary: the same for a seed in every run, others for every seed. */
export function promptOf(seed, tokens, vocabSize) {
  let state = (seed + 1) * 48271;
  return Array.from({ length: tokens }, () => {
    state = (state * 48271) % 2147483647;
    return state % vocabSize;
  });
}
