/** A process that does nothing but run the engine: it takes rounds over its IPC channel and answers with their figures. */
import { openModels } from '../../dist/cli/open-models.js';
import { cpuMsOf, SteadyWindow } from './steady-window.js';

const { model, threads, chunks } = JSON.parse(process.argv[2]);
const opened = openModels([{ model }], { device: 'cpu', threads, maxNumSeqs: 32, prefixCacheMemory: 0 });
const [{ engine, chunkSize }] = opened.models;

process.on('message', async ({ prompts, firstSeed }) => {
  const window = new SteadyWindow(prompts.length, () => ({ cpuMs: cpuMsOf(process.pid) }));
  await Promise.all(prompts.map((prompt, stream) => generate(prompt, stream, firstSeed + stream, window)));
  process.send(window.result());
});
process.once('disconnect', () => opened[Symbol.asyncDispose]());
process.send('ready');

async function generate(promptTokens, stream, seed, window) {
  const sampling = { temperature: 1, numCandidates: 1, seed, choice: 0 };
  const request = { promptTokens, maxTokens: chunks * chunkSize, minTokens: 0, sampling, stopTokenIds: [] };
  for await (const _ of engine.submit(request)) window.chunks(stream, 1);
  window.ended();
}
