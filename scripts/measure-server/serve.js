/** `calm serve` with one model in a process of its own. */
import { startServer } from '../start-server.js';

/**
 * Starts it on a free port and waits until it is ready.
 *
 * @param {object} options
 * @param {string} options.model
 * @param {number} options.threads
 * @param {string} options.prefixCacheMemory a size such as 256MiB, or 0 for no prefix cache
 * @param {string[]} [options.nodeOptions]
 * @returns its pid, address and port, what /v1/models says of the model, and `end`
 */
export async function startMeasuredServer({ model, threads, prefixCacheMemory, nodeOptions = [] }) {
  const rows = ['--max-num-seqs', '32', '--prefix-cache-memory', prefixCacheMemory];
  const server = await startServer(
    ['--model', model, '--threads', String(threads), ...rows, '--disable-access-log-for', '*'],
    { nodeOptions },
  );
  const { data } = await (await fetch(`${server.url}/v1/models`)).json();
  return { ...server, port: Number(new URL(server.url).port), model: data[0] };
}

/** Token ids spread over a vocabulary: the same for a seed in every run, others for every seed. */
export function promptOf(seed, tokens, vocabSize) {
  let state = (seed + 1) * 48271;
  return Array.from({ length: tokens }, () => {
    state = (state * 48271) % 2147483647;
    return state % vocabSize;
  });
}
