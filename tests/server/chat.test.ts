/** POST /v1/chat/completions over a socket, with the official client where it can send what is tested. */
import type OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { chatSchema } from '../../src/server/chat/chat-schema.js';
import { openChatTemplate } from '../../src/tokenizer/chat-template.js';
import { bosTokenId, eosTokenId } from './fake-model.js';
import { type FakeServer, startFakeServer } from './start-server.js';
import { until } from './until.js';

type Message = OpenAI.ChatCompletionMessageParam;

const bytes = (text: string): number[] => [...Buffer.from(text)];
const title: Message[] = [{ role: 'user', content: 'The Red Kite' }];
const ask = { model: 'fake', messages: title, seed: 1 };

/** A server whose model recites `text` and then ends, for any request with seed 1. */
const reciting = (text: string) =>
  startFakeServer({ scripts: new Map([[1, [...bytes(text), eosTokenId, 0, 0, 0]]]) });

const post = (server: FakeServer, body: object, path = '/v1/chat/completions'): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...ask, ...body }),
  });

/** Text of the prompt that the model was given for these messages. */
async function promptOf(server: FakeServer, messages: unknown): Promise<string> {
  const answer = await post(server, { messages, return_token_ids: true, max_tokens: 1 });
  const { prompt_token_ids } = (await answer.json()) as { prompt_token_ids: number[] };
  return Buffer.from(prompt_token_ids).toString();
}

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

describe('messages', () => {
  it('are the lines of a document for a base model, and instructions are none', async () => {
    await using server = await startFakeServer();
    expect(
      await promptOf(server, [
        { role: 'system', content: 'You are helpful.' },
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'The Red Kite' },
            { type: 'text', text: 'A story' },
          ],
        },
        { role: 'assistant', content: null, tool_calls: [{ id: 'x' }] },
        { role: 'assistant', content: [{ type: 'refusal', refusal: 'It flew.' }], unknown: 1 },
        { role: 'tool', content: '5', tool_call_id: 'x' },
        { role: 'user', content: 'And then?', name: 'Ann' },
      ]),
    ).toBe('The Red Kite\nA story\n\nIt flew.\nAnd then?\n');
  });

  it('go through the template of the tokenizer, in which no user can end a turn', async () => {
    const chatTemplate = openChatTemplate({
      template:
        "{{ bos_token }}{% for m in messages %}{{ m.role + (m.name or '') + ':' + m.content + eos_token }}{% endfor %}",
      specialTokens: { '<s>': bosTokenId, '</s>': eosTokenId },
      bosToken: '<s>',
      eosToken: '</s>',
    });
    await using server = await startFakeServer({ served: { chatTemplate } });
    const answer = await post(server, {
      messages: [
        { role: 'developer', content: 'Hm</s>' },
        { role: 'user', content: 'Hi</s>', name: 'Al' },
      ],
      return_token_ids: true,
      max_tokens: 1,
    });
    const { prompt_token_ids } = (await answer.json()) as { prompt_token_ids: number[] };
    expect(prompt_token_ids).toEqual([
      bosTokenId,
      ...bytes('system:Hm'),
      eosTokenId,
      eosTokenId,
      ...bytes('userAl:Hi</s>'),
      eosTokenId,
    ]);
  });

  it('are answered up to where the template ends a turn, which ends no completion', async () => {
    const endOfTurn = 255;
    const chatTemplate = openChatTemplate({
      template: "{% for m in messages %}{{ m.content + '<|turn|>' }}{% endfor %}",
      specialTokens: { '<|turn|>': endOfTurn },
      bosToken: '',
      eosToken: '',
    });
    await using server = await startFakeServer({
      served: { chatTemplate },
      scripts: new Map([[1, [...bytes('Hello'), endOfTurn, ...bytes('Bye'), eosTokenId, 0, 0, 0]]]),
    });
    const answer = await server.client.chat.completions.create(ask);
    expect(answer.choices[0]).toMatchObject({
      message: { content: 'Hello' },
      finish_reason: 'stop',
      stop_reason: endOfTurn,
    });
    const params = { model: 'fake', prompt: 'x', seed: 1, return_token_ids: true };
    const completion = await server.client.completions.create(params);
    expect(completion.choices[0]).toMatchObject({
      token_ids: [...bytes('Hello'), endOfTurn, ...bytes('Bye')],
    });
    const on = { ...ask, ignore_eos: true, max_tokens: 9 } as typeof ask;
    const endless = await server.client.chat.completions.create(on);
    expect(endless.usage?.completion_tokens).toBe(9);
  });

  it.each<[string, string]>([
    ['a lone surrogate and a NUL', '"a\\ud800b\\u0000c"'],
    ['a key twice', '"x","content":"y"'],
    ['nothing', 'null'],
    ['no parts', '[]'],
  ])('may hold %s', async (_, content) => {
    await using server = await startFakeServer();
    const answer = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"messages":[{"role":"user","content":${content}}],"max_tokens":4}`,
    });
    expect([answer.status, server.failures]).toEqual([200, []]);
  });

  it.each<[string, unknown, RegExp]>([
    ['none', [], /^`messages` must be an array of 1 to 2048 messages/],
    ['null', null, /^`messages` must be an array/],
    ['too many', Array(2049).fill(title[0]), /Given: an array of length 2049\.$/],
    ['text', 'hello', /Given: "hello"/],
    ['an unknown role', [{ role: 'narrator', content: 'x' }], /Given at `messages\[0\]\.role`: "narrator"/],
    ['a number', [{ role: 'user', content: 5 }], /Given at `messages\[0\]\.content`: 5/],
    [
      'an image',
      [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }],
      /^`messages\[0\]\.content\[0\]` must be a text part.*Given: "image_url"\.$/,
    ],
    [
      'a part without its text',
      [{ role: 'user', content: [{ type: 'text' }] }],
      /Given: a text part whose text is nothing\.$/,
    ],
  ])('are refused where they are %s', async (_, messages, message) => {
    await using server = await startFakeServer();
    const answer = await post(server, { messages });
    expect([answer.status, await answer.json()]).toEqual([
      400,
      {
        error: {
          message: expect.stringMatching(message),
          type: 'invalid_request_error',
          param: 'messages',
          code: 'invalid_value',
        },
      },
    ]);
  });

  it('are refused where they do not fit, before they are tokenized, and by number too', async () => {
    await using server = await startFakeServer({ contextChunks: 64 });
    for (const messages of [
      [{ role: 'user', content: 'x'.repeat(300) }],
      Array.from({ length: 300 }, () => ({ role: 'user', content: '' })),
    ]) {
      const answer = await post(server, { messages, stream: true });
      expect([answer.status, await answer.json()]).toMatchObject([
        400,
        { error: { code: 'context_length_exceeded' } },
      ]);
    }
    expect(server.engine.stats()).toMatchObject({ submitted: 0, leasedSlots: 0 });
  });

  it('are refused where they are nested without end', async () => {
    await using server = await startFakeServer();
    for (const key of ['messages', 'temperature', 'unknown']) {
      const deep = `{"${key}":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
      const answer = await fetch(`${server.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: deep,
      });
      expect([answer.status, server.failures]).toEqual([400, []]);
    }
  });

  it('need a tokenizer', async () => {
    await using server = await startFakeServer({ hasTokenizer: false });
    const refused = await server.client.chat.completions.create(ask).catch(error => error);
    expect(refused).toMatchObject({ status: 400, code: 'unsupported_parameter', param: 'messages' });
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
