/** POST /v1/chat/completions over a socket, with the official client where it can send what is tested. */
import type OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { chatSchema } from '../../src/server/chat/chat-schema.js';
import { ask, post, reciting } from './chat-requests.js';
import { eosTokenId } from './fake-model.js';
import { startFakeServer } from './start-server.js';
import { until } from './until.js';

describe('a chat', () => {
  it('is answered at once, with reason and exact usage', async () => {
    await using server = await reciting('It flew away.');
    const answer = await server.client.chat.completions.create(ask);
    expect(answer).toEqual({
      id: expect.stringMatching(/^chatcmpl-/),
      object: 'chat.completion',
      created: expect.any(Number),
      model: 'fake',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'It flew away.', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
          stop_reason: eosTokenId,
        },
      ],
      usage: {
        prompt_tokens: 13,
        completion_tokens: 13,
        total_tokens: 26,
        prompt_tokens_details: { cached_tokens: 0 },
      },
      timings: expect.objectContaining({ prompt_n: 13, predicted_n: 13, chunks: 4 }),
    });
  });

  it('is streamed: the role first, then text, then an empty delta with the reason', async () => {
    await using server = await reciting('It flew away.');
    const events: OpenAI.ChatCompletionChunk[] = [];
    for await (const event of await server.client.chat.completions.create({ ...ask, stream: true })) {
      events.push(event);
    }
    expect(events.map(({ choices }) => choices[0]?.delta)).toEqual([
      { role: 'assistant', content: '' },
      ...['It f', 'lew ', 'away', '.'].map(content => ({ content })),
      {},
    ]);
    expect(events.map(({ choices }) => choices[0]?.finish_reason)).toEqual([...Array(5).fill(null), 'stop']);
    expect(events.map(event => 'timings' in event)).toEqual([...Array(5).fill(false), true]);
    expect(events.some(event => 'usage' in event)).toBe(false);
    expect(
      new Set(events.map(({ id, created, object, model }) => [id, created, object, model].join())).size,
    ).toBe(1);
    expect(events[0]?.object).toBe('chat.completion.chunk');
  });

  it('streams each of n choices with a role and an end of its own, then the usage', async () => {
    await using server = await startFakeServer();
    const params = { ...ask, n: 3, max_tokens: 6, ignore_eos: true };
    const whole = await server.client.chat.completions.create(params);
    const texts = ['', '', ''];
    const marks: string[][] = [[], [], []];
    let usage: unknown;
    const stream = await server.client.chat.completions.create({
      ...params,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const event of stream) {
      if (event.choices.length === 0) usage = event.usage;
      else expect(event.usage).toBeNull();
      for (const { index, delta, finish_reason } of event.choices) {
        texts[index] += delta.content ?? '';
        if (delta.role) marks[index]?.push(delta.role);
        if (finish_reason) marks[index]?.push(finish_reason);
      }
    }
    expect(texts).toEqual(whole.choices.map(choice => choice.message.content));
    expect(new Set(texts).size).toBe(3);
    expect(marks).toEqual(Array(3).fill(['assistant', 'length']));
    expect(usage).toEqual(whole.usage);
  });

  it('says that it has begun while it still waits for a slot', async () => {
    await using server = await startFakeServer({ slotCount: 1 });
    server.model.pause();
    const answer = await post(server, { stream: true, max_tokens: 4 });
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    const { value } = await reader.read();
    expect(Buffer.from(value as Uint8Array).toString()).toContain('"role":"assistant"');
    await reader.cancel();
    server.model.resume();
    await until(() => server.engine.stats().leasedSlots === 0 && server.engine.stats().waiting === 0);
  });

  it('is limited by max_completion_tokens, else max_tokens, else the context', async () => {
    await using server = await startFakeServer({ contextChunks: 32 });
    const length = async (limits: object) => {
      const answer = await server.client.chat.completions.create({
        ...ask,
        ignore_eos: true,
        ...limits,
      } as typeof ask);
      return [answer.usage?.completion_tokens, answer.choices[0]?.finish_reason];
    };
    expect(await length({ max_completion_tokens: 5, max_tokens: 9 })).toEqual([5, 'length']);
    expect(await length({ max_completion_tokens: null, max_tokens: 9 })).toEqual([9, 'length']);
    // 13 tokens of the prompt take four chunks of 32, and the last chunk of a text needs no room.
    expect(await length({ max_completion_tokens: null, max_tokens: null })).toEqual([29 * 4, 'length']);
    expect(await length({ max_tokens: 0 })).toEqual([0, 'length']);
  });

  it('stops at stop strings, repeats itself under a seed, and takes the defaults of the package', async () => {
    await using server = await startFakeServer({ served: { defaults: { max_tokens: 7 } } });
    const create = (params: object) =>
      server.client.chat.completions.create({ ...ask, ignore_eos: true, ...params } as typeof ask);
    const [a, b] = [await create({ seed: 5 }), await create({ seed: 5 })];
    const text = a.choices[0]?.message.content ?? '';
    expect(text).toHaveLength(7);
    expect(b.choices[0]?.message.content).toBe(text);
    const stopped = await create({ seed: 5, stop: text.slice(3, 5) });
    expect(stopped.choices[0]).toMatchObject({
      message: { content: text.slice(0, text.indexOf(text.slice(3, 5))) },
      finish_reason: 'stop',
    });
  });

  it.each(['/chat/completions', '/v1/chat/completions/'])('is taken at %s', async path => {
    await using server = await reciting('Yes.');
    expect((await post(server, {}, path)).status).toBe(200);
  });
});

describe('fields of a chat', () => {
  it('may be null, unknown, or ask for what is ignored and named', async () => {
    await using server = await reciting('Yes.');
    const optional = Object.keys(chatSchema.shape).filter(name => name !== 'messages');
    const quiet = await post(server, {
      ...Object.fromEntries([...optional, 'user'].map(name => [name, null])),
      store: false,
      metadata: { a: 'b' },
      reasoning_effort: 'low',
      tools: [],
      tool_choice: 'none',
      parallel_tool_calls: true,
      max_tokens: 1,
    });
    expect([quiet.status, quiet.headers.get('x-calm-ignored-params')]).toEqual([200, null]);
    const tools = [{ type: 'function', function: { name: 'f', parameters: {} } }];
    const noted = await post(server, { tools, top_p: 0.5, response_format: { type: 'json_object' } });
    expect([noted.status, noted.headers.get('x-calm-ignored-params')]).toEqual([
      200,
      'response_format, tools',
    ]);
  });

  it('are refused where the server is strict', async () => {
    await using server = await startFakeServer({ strictParams: true });
    const refused = await post(server, { tools: [{ type: 'function' }] });
    expect(await refused.json()).toMatchObject({
      error: { param: 'tools', message: expect.stringContaining('not trained to call tools') },
    });
  });

  it.each<[string, unknown]>([
    ['logprobs', true],
    ['top_logprobs', 2],
    ['max_completion_tokens', -1],
    ['temperature', 'warm'],
    ['stream', 'yes'],
    ['tools', 'hammer'],
  ])('are refused where they are wrong: %s %s', async (param, value) => {
    await using server = await startFakeServer();
    const answer = await post(server, { [param]: value });
    expect([answer.status, await answer.json()]).toMatchObject([400, { error: { param } }]);
  });

  it('name another model in vain', async () => {
    await using server = await startFakeServer();
    const refused = await server.client.chat.completions
      .create({ ...ask, model: 'gpt-4o-mini' })
      .catch(error => error);
    expect(refused).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' });
  });
});

describe('a chat that ends early', () => {
  it('frees its slot when the reader leaves', async () => {
    await using server = await startFakeServer({ contextChunks: 20_000 });
    const stream = await server.client.chat.completions.create({
      ...ask,
      max_tokens: 60_000,
      stream: true,
      ignore_eos: true,
    } as OpenAI.ChatCompletionCreateParamsStreaming);
    for await (const event of stream) if (event.choices[0]?.delta.content) break;
    await until(() => server.engine.stats().finished.aborted === 1);
    expect(server.engine.stats().leasedSlots).toBe(0);
  });

  it('ends its stream with an error event and no reason where the model fails', async () => {
    await using server = await startFakeServer();
    server.model.nextFailure = new Error('the library is unwell');
    const answer = await post(server, { stream: true, max_tokens: 40 });
    const frames = (await answer.text()).split('\n\n').filter(Boolean);
    expect(JSON.parse((frames.at(-1) ?? '').slice('data: '.length))).toMatchObject({
      error: { type: 'server_error' },
    });
    expect(frames.some(frame => /\[DONE\]|"finish_reason":"/.test(frame))).toBe(false);
  });
});
