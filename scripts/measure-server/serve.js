/** `calm serve` with one model in a process of its own. */
import { startServer } from '../start-server.js';

/**
 * Starts it on a free port and waits until it is ready.
 *
 * @param {{ model: string, threads: number, nodeOptions?: string[] }} options
 * @returns its pid and port, what /v1/models says of the model, and `end`
 */
export async function startMeasuredServer({ model, threads, nodeOptions = [] }) {
  const rows = ['--max-num-seqs', '32', '--prefix-cache-memory', '0', '--disable-access-log-for', '*'];
  const server = await startServer(['--model', model, '--threads', String(threads), ...rows], {
    nodeOptions,
  });
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
