/** GET /props and GET /slots, which front ends of llama-server ask before they send a first prompt. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type FakeServer, startFakeServer } from './start-server.js';
import { until } from './until.js';

/** An answer of either route; only what the tests take apart has a type. */
interface Answer {
  readonly default_generation_settings: { readonly params: object };
  readonly bos_token: string | null;
  readonly eos_token: string | null;
  map<Item>(change: (slot: { readonly is_processing: boolean }) => Item): Item[];
}

let server: FakeServer;
beforeAll(async () => {
  server = await startFakeServer({
    slotCount: 3,
    contextChunks: 16,
    served: { defaults: { temperature: 0.5, max_tokens: 40, num_candidates: 50 } },
  });
});
afterAll(() => server[Symbol.asyncDispose]());

async function get(path: string, from: FakeServer = server) {
  const response = await fetch(from.url + path);
  return { status: response.status, body: (await response.json()) as Answer };
}

it('/props tells context, slots, template and the defaults of requests', async () => {
  expect(await get('/props?model=fake')).toMatchObject({
    status: 200,
    body: {
      default_generation_settings: {
        n_ctx: 64,
        params: { temperature: 0.5, n_predict: 40, num_candidates: 50, top_p: 1, top_k: 0 },
      },
      total_slots: 3,
      model_alias: 'fake',
      chat_template: expect.stringContaining('message.content'),
      bos_token: '<|begin_of_text|>',
      eos_token: '<|end_of_text|>',
      modalities: { vision: false },
    },
  });
  expect(await get('/props?model=x')).toMatchObject({
    status: 404,
    body: { error: { code: 'model_not_found' } },
  });
});

it("/props tells OpenAI's and the paper's defaults where the package has none, and no tokens without a tokenizer", async () => {
  await using bare = await startFakeServer({ hasTokenizer: false });
  const { body } = await get('/props', bare);
  const { params } = body.default_generation_settings;
  expect(params).toMatchObject({ temperature: 1, n_predict: 16, num_candidates: 200 });
  expect([body.bos_token, body.eos_token]).toEqual([null, null]);
});

it('/slots tells which slots are taken', async () => {
  const taken = async () => (await get('/slots')).body.map(slot => slot.is_processing);
  expect(await taken()).toEqual([false, false, false]);
  expect((await get('/slots?fail_on_no_slot=1')).status).toBe(200);
  server.model.pause();
  const answer = server.client.completions.create({ model: 'fake', prompt: 'a', max_tokens: 4, n: 2 });
  await until(() => server.engine.stats().leasedSlots === 2);
  expect(await taken()).toEqual([true, true, false]);
  server.model.resume();
  await answer;
  expect(await taken()).toEqual([false, false, false]);
});

it('/slots is a 503 on request where all slots are taken, and says nothing of what runs in them', async () => {
  await using full = await startFakeServer({ slotCount: 1 });
  full.model.pause();
  const answer = full.client.completions.create({ model: 'fake', prompt: 'secret words', max_tokens: 4 });
  await until(() => full.engine.stats().leasedSlots === 1);
  expect(await get('/slots?fail_on_no_slot=1', full)).toMatchObject({
    status: 503,
    body: { error: { code: 'no_slot_available', message: 'No slot of fake is free; it has 1.' } },
  });
  const told = await get('/slots?fail_on_no_slot=0', full);
  expect(told).toEqual({
    status: 200,
    body: [{ id: 0, n_ctx: 2048, speculative: false, is_processing: true }],
  });
  full.model.resume();
  await answer;
});
