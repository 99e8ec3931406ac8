/**
 * Many requests of every kind, at four times the slots, with clients that leave at any moment. CALM_SOAK_REQUESTS sets
 * how many: with 10000 and `vitest run --execArgv=--expose-gc`, the memory in its output shows whether anything stays.
 */
import { expect, it } from 'vitest';
import { RandomStream } from '../../src/sampler/uniform.js';
import { type FakeServer, startFakeServer } from './start-server.js';
import { until } from './until.js';

const requestCount = Number(process.env.CALM_SOAK_REQUESTS ?? 300);
const slotCount = 8;
const clients = 4 * slotCount;

/** What is asked again and again; each has one answer. */
const questions = Array.from({ length: 24 }, (_, seed) => ({
  model: 'fake',
  prompt: 'p'.repeat(seed % 6 === 5 ? 1500 : seed + 1),
  max_tokens: [3, 16, 64, 200][seed % 4] as number,
  temperature: seed % 3 === 0 ? 0 : 0.7,
  n: 1 + (seed % 3),
  seed,
}));

const mistakes = ['{"prompt":', '{"max_tokens":-1}', '{"model":"nobody"}', '{"prompt":[99999]}', '[]'];

const texts = (choices: readonly { readonly text: string }[]): string[] => choices.map(({ text }) => text);

async function readStream(server: FakeServer, question: (typeof questions)[number], leaveAfter: number) {
  const stream = await server.client.completions.create({ ...question, stream: true });
  const parts = Array.from({ length: question.n }, () => '');
  let events = 0;
  for await (const { choices } of stream) {
    if (events++ === leaveAfter) return null;
    for (const { index, text } of choices) parts[index] += text;
  }
  return parts;
}

it(`${requestCount} requests leave nothing behind, and each answer is what it is alone`, async () => {
  await using server = await startFakeServer({ slotCount });
  const { completions } = server.client;
  const alone: string[][] = [];
  for (const question of questions) alone.push(texts((await completions.create(question)).choices));
  const stream = new RandomStream({ seed: 7, choice: 0, step: 0 });
  const random = () => stream.next();
  const heapMiB: number[] = [];
  let asked = 0;
  let answered = 0;

  async function ask(): Promise<void> {
    const index = Math.floor(random() * questions.length);
    const question = questions[index]!;
    const kind = random();
    if (kind < 0.35) {
      expect(await readStream(server, question, Number.POSITIVE_INFINITY)).toEqual(alone[index]);
      answered += 1;
    } else if (kind < 0.6) {
      expect(texts((await completions.create(question)).choices)).toEqual(alone[index]);
      answered += 1;
    } else if (kind < 0.75) {
      await readStream(server, question, Math.floor(random() * 5));
    } else if (kind < 0.9) {
      const controller = new AbortController();
      const call = completions.create(question, { signal: controller.signal }).catch(() => null);
      for (let turns = Math.floor(random() * 20); turns > 0; turns--) await new Promise(setImmediate);
      controller.abort();
      await call;
    } else {
      const body = mistakes[Math.floor(random() * mistakes.length)]!;
      const headers = { 'content-type': 'application/json' };
      const response = await fetch(`${server.url}/v1/completions`, { method: 'POST', headers, body });
      expect([400, 404]).toContain(response.status);
      await response.text();
    }
  }

  async function client(): Promise<void> {
    while (asked < requestCount) {
      asked += 1;
      if (asked % Math.ceil(requestCount / 10) === 0) {
        // The test's own copy of the access log would grow for as long as it runs.
        server.requests.length = 0;
        globalThis.gc?.();
        heapMiB.push(Math.round(process.memoryUsage().heapUsed / 2 ** 20));
      }
      await ask();
    }
  }

  await Promise.all(Array.from({ length: clients }, client));
  await until(() => {
    const { leasedSlots, waiting, running } = server.engine.stats();
    return leasedSlots + waiting + running === 0;
  });
  const { submitted, finished } = server.engine.stats();
  expect(finished.stop + finished.length + finished.aborted + finished.error).toBe(submitted);
  expect(finished.error).toBe(0);
  expect(server.monitor.metrics.unreadChunks).toBe(0);
  expect(server.failures).toEqual([]);
  expect(answered).toBeGreaterThan(requestCount / 2);
  if (process.env.CALM_SOAK_REQUESTS) {
    console.log(`${asked} requests, ${answered} compared, heap in MiB at each tenth: ${heapMiB.join(' ')}`);
  }
}, 600_000);
