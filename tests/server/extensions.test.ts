/** What this server adds to OpenAI's answers, and how it says what it leaves out. */
import { describe, expect, it } from 'vitest';
import { readStream } from './completion-suite.js';
import { type FakeServer, startFakeServer } from './start-server.js';
import { until } from './until.js';

interface Timings {
  readonly chunks: number;
  readonly prompt_ms: number;
  readonly predicted_n: number;
  readonly predicted_ms: number;
  readonly predicted_per_second: number;
}

const ask = { model: 'fake', prompt: 'Once upon', ignore_eos: true, seed: 1 } as {
  model: string;
  prompt: string;
};

const post = (server: FakeServer, body: object): Promise<Response> =>
  fetch(`${server.url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': 'r-1' },
    body: JSON.stringify({ ...ask, ...body }),
  });

async function readError(response: Response): Promise<{ readonly param: string }> {
  return ((await response.json()) as { error: { param: string } }).error;
}

describe('timings', () => {
  it('count prompts, tokens, chunks and draws of all choices, and agree with each other', async () => {
    await using server = await startFakeServer();
    const answer = await server.client.completions.create({ ...ask, max_tokens: 10, n: 3 });
    const { timings } = answer as unknown as { timings: Timings };
    expect(timings).toMatchObject({
      prompt_n: 9,
      predicted_n: 30,
      chunks: 9,
      chunk_size: 4,
      draws: 9,
      decoded_positions: 36,
      fallbacks: 0,
    });
    expect(timings.predicted_ms).toBeGreaterThanOrEqual(timings.prompt_ms);
    expect(timings.prompt_ms).toBeGreaterThan(0);
    // Both are rounded to three decimals, and a fake model needs a few milliseconds only.
    const tokens = (timings.predicted_per_second * timings.predicted_ms) / 1000;
    expect(Math.abs(tokens / 30 - 1)).toBeLessThan(0.01);
  });

  it('come once in a stream, with the last text, and again with the usage', async () => {
    await using server = await startFakeServer();
    const params = { ...ask, max_tokens: 10, n: 2, stream: true as const };
    const plain = await readStream(await server.client.completions.create(params));
    const withTimings = plain.events.map(event => 'timings' in event);
    expect(withTimings).toEqual(withTimings.map((_, index) => index === withTimings.length - 1));
    expect(plain.events.at(-1)).toMatchObject({ timings: { predicted_n: 20, chunks: 6 } });
    const { events } = await readStream(
      await server.client.completions.create({ ...params, stream_options: { include_usage: true } }),
    );
    expect(events.slice(-2)).toMatchObject([
      { timings: { predicted_n: 20 } },
      { choices: [], timings: { predicted_n: 20 } },
    ]);
  });

  it('stand in every event on request', async () => {
    await using server = await startFakeServer();
    const params = { ...ask, max_tokens: 10, stream: true as const, timings_per_token: true };
    const { events } = await readStream(await server.client.completions.create(params));
    const timings = events.map(event => (event as unknown as { timings: Timings }).timings);
    expect(timings.map(({ chunks, predicted_n }) => [chunks, predicted_n])).toEqual([
      [1, 4],
      [2, 8],
      [3, 10],
    ]);
  });

  it('are zeros where nothing was generated', async () => {
    await using server = await startFakeServer();
    const answer = await server.client.completions.create({ ...ask, max_tokens: 0 });
    expect(answer).toMatchObject({
      timings: { predicted_n: 0, predicted_ms: 0, predicted_per_second: 0, chunks: 0 },
    });
  });
});

describe('stream_granularity', () => {
  const stream = async (server: FakeServer, params: object) =>
    readStream(await server.client.completions.create({ ...ask, ...params, stream: true as const }));

  it('"token" gives an event for each token, the same text and the same counts', async () => {
    await using server = await startFakeServer();
    const params = { max_tokens: 10, stream_options: { include_usage: true } };
    const whole = await stream(server, params);
    const split = await stream(server, { ...params, stream_granularity: 'token' });
    expect(split.texts).toEqual(whole.texts);
    expect(split.reasons).toEqual(whole.reasons);
    const texts = split.events.slice(0, -1).map(event => event.choices[0]?.text.length);
    expect(texts).toEqual(Array(10).fill(1));
    expect(whole.events).toHaveLength(3 + 1);
    expect(split.events.at(-1)).toMatchObject({
      usage: { completion_tokens: 10 },
      timings: { chunks: 3, draws: 3 },
    });
  });

  it('cuts at stop strings and inside characters as "chunk" does', async () => {
    const text = [...new TextEncoder().encode('né 日本! stop here')];
    await using server = await startFakeServer({ scripts: new Map([[1, text]]) });
    const params = { max_tokens: 40, stop: 'stop', stream_granularity: 'token' };
    const { texts, reasons, events } = await stream(server, params);
    expect(texts.get(0)).toBe('né 日本! ');
    expect(reasons.get(0)).toEqual(['stop']);
    expect(events.every(event => !event.choices[0]?.text.includes('\uFFFD'))).toBe(true);
  });

  it('is the server’s where the request does not say', async () => {
    await using server = await startFakeServer({ streamGranularity: 'token' });
    const textsOf = async (params: object) =>
      (await stream(server, { max_tokens: 8, ...params })).events.map(event => event.choices[0]?.text.length);
    expect(await textsOf({})).toEqual(Array(8).fill(1));
    expect(await textsOf({ stream_granularity: null })).toEqual(Array(8).fill(1));
    expect(await textsOf({ stream_granularity: 'chunk' })).toEqual([4, 4]);
    const chat = await server.client.chat.completions.create({
      model: 'fake',
      messages: [{ role: 'user', content: 'a' }],
      max_tokens: 8,
      seed: 1,
      stream: true,
    });
    const pieces: (string | null | undefined)[] = [];
    for await (const event of chat) pieces.push(event.choices[0]?.delta.content);
    expect(pieces.filter(Boolean)).toHaveLength(8);
  });

  it('is "chunk" or "token"', async () => {
    await using server = await startFakeServer();
    const refused = await post(server, { stream_granularity: 'word' });
    expect(await refused.json()).toMatchObject({
      error: { param: 'stream_granularity', message: expect.stringContaining('"chunk" or "token"') },
    });
  });
});

describe('fields that the model cannot honour', () => {
  const asking: [string, unknown][] = [
    ['suffix', 'end'],
    ['response_format', { type: 'json_object' }],
    ['tool_choice', 'required'],
    ['function_call', { name: 'f' }],
    ['modalities', ['text', 'audio']],
    ['audio', { voice: 'alloy', format: 'mp3' }],
    ['web_search_options', {}],
    ['guided_regex', 'a+'],
    ['bad_words', ['no']],
    ['use_beam_search', true],
    ['length_penalty', 2],
    ['logits_processors', ['code']],
    ['skip_special_tokens', false],
    ['stream_interval', 4],
    ['chat_template', '{{ messages }}'],
    ['add_generation_prompt', false],
    ['continue_final_message', true],
    ['cache_salt', 'mine'],
    ['priority', 3],
    ['n_predict', 9],
    ['repeat_penalty', 1.2],
    ['n_probs', 2],
    ['mirostat', 2],
    ['typical_p', 0.5],
    ['xtc_probability', 0.5],
    ['dry_multiplier', 0.8],
    ['dynatemp_range', 0.5],
  ];

  it('are named in a header and to the log, and change nothing', async () => {
    await using server = await startFakeServer();
    const names = asking.map(([name]) => name);
    for (const stream of [false, true]) {
      const answer = await post(server, { ...Object.fromEntries(asking), stream });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('x-calm-ignored-params')?.split(', ').sort()).toEqual([...names].sort());
      await answer.text();
    }
    await until(() => server.requests.length === 2);
    for (const { requestId, ignoredParams } of server.requests) {
      expect([requestId, ...ignoredParams]).toEqual(['r-1', ...names]);
    }
  });

  it('are no matter where they ask for nothing', async () => {
    await using server = await startFakeServer({ strictParams: true });
    const neutral = {
      top_p: 1,
      top_k: -1,
      min_p: 0,
      presence_penalty: 0,
      frequency_penalty: 0,
      repetition_penalty: 1,
      logit_bias: { foo: 0 },
      suffix: '',
      best_of: 0,
      response_format: { type: 'text' },
      guided_regex: null,
      tool_choice: 'auto',
      function_call: 'none',
      modalities: ['text'],
      bad_words: [],
      use_beam_search: false,
      length_penalty: 1,
      logits_processors: [],
      skip_special_tokens: true,
      stream_interval: 1,
      chat_template: null,
      add_generation_prompt: true,
      continue_final_message: false,
      // llama-server's names beside those that are honoured.
      max_tokens: 9,
      n_predict: 7,
      repeat_penalty: 1.1,
      n_probs: 0,
      mirostat: 0,
      typical_p: 1,
      xtc_probability: 0,
      dry_multiplier: 0,
      dynatemp_range: 0,
      logprobs: 0,
      prompt_logprobs: null,
    };
    const answer = await post(server, neutral);
    expect([answer.status, answer.headers.get('x-calm-ignored-params')]).toEqual([200, null]);
    expect((await post(server, { top_k: 0, best_of: 1, logit_bias: {} })).status).toBe(200);
    await until(() => server.requests.length === 2);
    expect(server.requests.flatMap(({ ignoredParams }) => ignoredParams)).toEqual([]);
  });

  it.each(asking)('are refused by name where the server is strict: %s', async (name, value) => {
    await using server = await startFakeServer({ strictParams: true });
    const answer = await post(server, { [name]: value });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toEqual({
      error: {
        message: expect.stringMatching(/^`\w+` must be .* or left out for fake: .*\. Given: .*\.$/),
        type: 'invalid_request_error',
        param: name,
        code: 'unsupported_parameter',
      },
    });
  });

  it.each([
    ['top_p', 1.5],
    ['top_k', 'many'],
    ['presence_penalty', 3],
    ['logit_bias', { 1: 'much' }],
    ['response_format', 'json'],
    ['best_of', -1],
    ['suffix', 5],
  ])('are refused where they are wrong in themselves: %s %o', async (name, value) => {
    await using server = await startFakeServer();
    const answer = await post(server, { [name]: value });
    expect([answer.status, (await readError(answer)).param]).toEqual([400, name]);
  });

  it.each([
    ['logprobs', 1],
    ['prompt_logprobs', 0],
  ])('are never answered with silent nulls: %s %d', async (name, value) => {
    await using server = await startFakeServer();
    const answer = await post(server, { [name]: value, echo: true });
    expect([answer.status, await readError(answer)]).toMatchObject([
      400,
      {
        param: name,
        code: 'unsupported_parameter',
        message: expect.stringContaining('no token probabilities'),
      },
    ]);
  });
});
