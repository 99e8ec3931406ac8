/** What an operator sees: Prometheus metrics, and the record that the access log gets of every request. */
import { describe, expect, it } from 'vitest';
import { openRawRequest } from './raw-request.js';
import { type FakeServer, startFakeServer } from './start-server.js';
import { until } from './until.js';

const endless = { model: 'fake', prompt: 'abcde', ignore_eos: true } as { model: string; prompt: string };

/** Values of the metrics by name and labels, as a scraper reads them. */
async function scrape(server: FakeServer): Promise<(series: string) => number> {
  const response = await fetch(`${server.url}/metrics`);
  expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  const values = new Map<string, number>();
  for (const line of (await response.text()).split('\n')) {
    const match = /^([^#\s{]+)(\{[^}]*\})? (\S+)$/.exec(line);
    if (match)
      values.set(match[1] + (match[2] ?? '').replace('model_name="fake",engine="0"', ''), Number(match[3]));
  }
  return series => {
    const plain = values.get(series) ?? values.get(`${series}{}`);
    if (plain === undefined) throw new Error(`no series ${series} in ${[...values.keys()].join(' ')}`);
    return plain;
  };
}

describe('metrics', () => {
  it('has every series that dashboards for vLLM ask for, from the start', async () => {
    await using server = await startFakeServer();
    const value = await scrape(server);
    const zero = [
      'num_requests_running',
      'num_requests_waiting',
      'kv_cache_usage_perc',
      'num_preemptions_total',
      'prompt_tokens_total',
      'generation_tokens_total',
      'request_success_total{,finished_reason="stop"}',
      'request_success_total{,finished_reason="length"}',
      'request_success_total{,finished_reason="abort"}',
      'time_to_first_token_seconds_count',
      'inter_token_latency_seconds_count',
      'e2e_request_latency_seconds_count',
      'request_queue_time_seconds_count',
    ];
    for (const name of zero) expect([name, value(`vllm:${name}`)]).toEqual([name, 0]);
    expect(value('calm:slots')).toBe(8);
  });

  it('counts choices, tokens, chunks and draws, and how choices ended', async () => {
    await using server = await startFakeServer({
      scripts: new Map([[7, [...Buffer.from('one two three four')]]]),
    });
    const { completions } = server.client;
    await completions.create({ ...endless, max_tokens: 10, n: 3 });
    await completions.create({ ...endless, max_tokens: 10, stream: true }).then(async stream => {
      for await (const _ of stream);
    });
    await completions.create({ ...endless, max_tokens: 40, seed: 7, stop: 'three' });
    const value = await scrape(server);
    expect(value('vllm:request_success_total{,finished_reason="length"}')).toBe(4);
    expect(value('vllm:request_success_total{,finished_reason="stop"}')).toBe(1);
    expect(value('vllm:request_success_total{,finished_reason="abort"}')).toBe(0);
    expect(value('vllm:prompt_tokens_total')).toBe(5 * 5);
    const { generatedTokens, generatedChunks, draws } = server.engine.stats();
    expect(value('vllm:generation_tokens_total')).toBe(generatedTokens);
    expect(value('calm:generated_chunks_total')).toBe(generatedChunks);
    expect(value('calm:draws_total')).toBe(draws);
    expect(value('calm:decoded_positions_total')).toBe(4 * draws);
    for (const name of [
      'time_to_first_token',
      'e2e_request_latency',
      'request_queue_time',
      'request_decode_time',
    ]) {
      expect([name, value(`vllm:${name}_seconds_count`)]).toEqual([name, 5]);
    }
    // 10 tokens are chunks of 4, 4 and 2: 6 tokens and 2 chunks after each first chunk.
    const stopChunks = generatedChunks - 4 * 3;
    expect(value('vllm:inter_token_latency_seconds_count')).toBe(4 * 6 + (stopChunks - 1) * 4);
    expect(value('calm:inter_chunk_latency_seconds_count')).toBe(4 * 2 + (stopChunks - 1));
    expect(value('calm:draws_per_chunk_count')).toBe(generatedChunks);
    expect(value('vllm:request_generation_tokens_sum')).toBe(generatedTokens);
    expect(value('vllm:request_params_n_sum')).toBe(5);
    expect(value('vllm:request_max_num_generation_tokens_sum')).toBe(10 + 10 + 4 * stopChunks);
    expect(value('vllm:request_max_num_generation_tokens_count')).toBe(3);
    expect(value('http_requests_total{handler="/v1/completions",method="POST",status="200"}')).toBe(3);
  });

  it('shows the load while it lasts, at the second scrape as at the first', async () => {
    await using server = await startFakeServer({ slotCount: 4 });
    server.model.pause();
    const answer = server.client.completions.create({ ...endless, max_tokens: 4, n: 6 });
    await until(() => server.engine.stats().leasedSlots === 4);
    for (const _ of ['first', 'second']) {
      const value = await scrape(server);
      expect(value('vllm:num_requests_running')).toBe(4);
      expect(value('vllm:num_requests_waiting')).toBe(2);
      expect(value('vllm:kv_cache_usage_perc')).toBe(1);
    }
    server.model.resume();
    await answer;
    for (const _ of ['first', 'second']) {
      const value = await scrape(server);
      expect(value('vllm:num_requests_running')).toBe(0);
      expect(value('vllm:generation_tokens_total')).toBe(24);
    }
  });

  it('counts a client that leaves, refusals and ignored fields', async () => {
    await using server = await startFakeServer();
    server.model.pause();
    const socket = openRawRequest(server, { ...endless, max_tokens: 100 });
    await until(() => server.engine.stats().leasedSlots === 1);
    socket.destroy();
    await until(() => server.requests.length === 1);
    server.model.resume();
    await fetch(`${server.url}/nowhere`);
    await server.client.completions.create({ ...endless, max_tokens: 1, suffix: 'end' });
    const value = await scrape(server);
    expect(value('vllm:request_success_total{,finished_reason="abort"}')).toBe(1);
    expect(value('http_requests_total{handler="/v1/completions",method="POST",status="499"}')).toBe(1);
    expect(value('http_requests_total{handler="none",method="GET",status="404"}')).toBe(1);
    expect(value('calm:ignored_params_total{param="suffix"}')).toBe(1);
  });

  it('belongs to one server: another one in the process counts for itself', async () => {
    await using first = await startFakeServer();
    await using second = await startFakeServer();
    await first.client.completions.create({ ...endless, max_tokens: 4 });
    expect((await scrape(first))('vllm:generation_tokens_total')).toBe(4);
    expect((await scrape(second))('vllm:generation_tokens_total')).toBe(0);
  });
});

describe('the record of a request', () => {
  it('has counts, times and reasons of all choices, and nothing of prompt or text', async () => {
    await using server = await startFakeServer();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const response = await fetch(`${server.url}/v1/completions?secret=1`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': 'mine', traceparent },
      body: JSON.stringify({ ...endless, prompt: ['abcde', 'fgh'], max_tokens: 6, n: 2, suffix: 'end' }),
    });
    const answer = await response.text();
    await until(() => server.requests.length === 1);
    expect(server.requests).toEqual([
      {
        requestId: 'mine',
        traceId: '0af7651916cd43dd8448eb211c80319c',
        method: 'POST',
        path: '/v1/completions',
        route: '/v1/completions',
        status: 200,
        totalMs: expect.any(Number),
        aborted: false,
        error: null,
        ignoredParams: ['suffix'],
        generation: {
          model: 'fake',
          choices: 4,
          promptTokens: 8,
          generatedTokens: 24,
          longestChoiceTokens: 6,
          chunks: 8,
          draws: 8,
          fallbacks: 0,
          queueMs: expect.any(Number),
          firstChunkMs: expect.any(Number),
          finishReasons: { length: 4 },
        },
      },
    ]);
    expect(JSON.parse(answer).usage).toMatchObject({ prompt_tokens: 8, completion_tokens: 24 });
    const { totalMs, generation } = server.requests[0]!;
    expect(generation!.firstChunkMs).toBeLessThanOrEqual(totalMs);
    expect(JSON.stringify(server.requests)).not.toMatch(/abcde|secret/);
  });

  it('has the same of a chat', async () => {
    await using server = await startFakeServer();
    const messages = [{ role: 'user' as const, content: 'hello' }];
    await server.client.chat.completions.create({ model: 'fake', messages, max_tokens: 6, n: 2 });
    await until(() => server.requests.length === 1);
    expect(server.requests[0]).toMatchObject({
      route: '/v1/chat/completions',
      status: 200,
      generation: { choices: 2, promptTokens: expect.any(Number), finishReasons: expect.any(Object) },
    });
    expect(server.requests[0]!.generation!.chunks).toBe(server.engine.stats().generatedChunks);
  });

  it.each([
    ['a refusal', '{"max_tokens":-1}', { status: 400, error: 'invalid_request', aborted: false }],
    ['an unknown model', '{"model":"gpt"}', { status: 404, error: 'model_not_found', aborted: false }],
  ])('names the error of %s', async (_, body, expected) => {
    await using server = await startFakeServer();
    const headers = { 'content-type': 'application/json' };
    await (await fetch(`${server.url}/v1/completions`, { method: 'POST', headers, body })).text();
    await until(() => server.requests.length === 1);
    expect(server.requests[0]).toMatchObject({ ...expected, generation: null });
  });

  it('says that a client left: with 499 before the answer, with its status in the middle of a stream', async () => {
    await using server = await startFakeServer({ contextChunks: 20_000 });
    server.model.pause();
    const early = openRawRequest(server, { ...endless, max_tokens: 8 });
    await until(() => server.engine.stats().leasedSlots === 1);
    early.destroy();
    await until(() => server.requests.length === 1);
    expect(server.requests[0]).toMatchObject({
      status: 499,
      aborted: true,
      generation: { chunks: 0, queueMs: null, firstChunkMs: null, finishReasons: { abort: 1 } },
    });
    server.model.resume();
    const late = openRawRequest(server, { ...endless, max_tokens: 60_000, stream: true });
    late.once('data', () => late.destroy());
    await until(() => server.requests.length === 2);
    expect(server.requests[1]).toMatchObject({ status: 200, aborted: true, error: 'aborted' });
  });

  it('names the failure that ended a stream after its status was sent', async () => {
    await using server = await startFakeServer({ contextChunks: 20_000 });
    const stream = await server.client.completions.create({ ...endless, stream: true, max_tokens: 60_000 });
    const read = async () => {
      for await (const _ of stream) server.model.nextFailure ??= new Error('the library is unwell');
    };
    await read().catch(() => {});
    await until(() => server.requests.length === 1);
    expect(server.requests[0]).toMatchObject({
      status: 200,
      aborted: false,
      error: 'internal',
      generation: { finishReasons: { error: 1 } },
    });
  });
});
