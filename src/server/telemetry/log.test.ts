import { describe, expect, it } from 'vitest';
import { createLog } from './log.js';
import type { RequestSummary } from './request-record.js';

const summary: RequestSummary = {
  requestId: 'req_1',
  method: 'POST',
  path: '/v1/completions',
  route: '/v1/completions',
  status: 200,
  totalMs: 12.3456,
  aborted: false,
  error: null,
  ignoredParams: [],
  generation: {
    model: 'stories',
    choices: 2,
    promptTokens: 5,
    generatedTokens: 12,
    longestChoiceTokens: 8,
    chunks: 6,
    draws: 60,
    fallbacks: 1,
    queueMs: 0.5,
    firstChunkMs: 3.1391,
    finishReasons: { length: 1, stop: 1 },
  },
};

function collect(format: 'json' | 'text') {
  const lines: string[] = [];
  return { lines, log: createLog(format, line => lines.push(line)) };
}

describe('the log as JSON', () => {
  it('has one line a request, under names that stay', () => {
    const { lines, log } = collect('json');
    log.request(summary);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(lines[0]!)).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      msg: 'request',
      request_id: 'req_1',
      method: 'POST',
      path: '/v1/completions',
      route: '/v1/completions',
      status: 200,
      total_ms: 12.35,
      aborted: false,
      model: 'stories',
      choices: 2,
      prompt_tokens: 5,
      generated_tokens: 12,
      chunks: 6,
      draws: 60,
      fallbacks: 1,
      queue_ms: 0.5,
      first_chunk_ms: 3.14,
      finish_reasons: { length: 1, stop: 1 },
    });
  });

  it('says what went wrong and what was ignored, and keeps a line one line', () => {
    const { lines, log } = collect('json');
    log.request({
      ...summary,
      traceId: 'abc',
      generation: null,
      status: 499,
      aborted: true,
      error: 'aborted',
      ignoredParams: ['top_p'],
    });
    log.fault('first line\nsecond', 'req_2');
    log.note('listening', { url: 'http://x' });
    expect(lines.map(line => line.split('\n').length)).toEqual([2, 2, 2]);
    const [request, fault, note] = lines.map(line => JSON.parse(line));
    expect(request).toMatchObject({
      status: 499,
      aborted: true,
      error: 'aborted',
      ignored_params: ['top_p'],
      trace_id: 'abc',
    });
    expect(request).not.toHaveProperty('model');
    expect(fault).toMatchObject({ level: 'error', msg: 'first line\nsecond', request_id: 'req_2' });
    expect(note).toMatchObject({ level: 'info', msg: 'listening', url: 'http://x' });
  });
});

describe('the log as text', () => {
  it('has one line a request that a person can read', () => {
    const { lines, log } = collect('text');
    log.request(summary);
    expect(lines).toEqual([
      expect.stringMatching(
        /^\S+Z req_1 POST \/v1\/completions 200 in 12\.35 ms; stories: 5 \+ 12 tokens, 6 chunks, 60 draws; queued 0\.5 ms, first chunk 3\.14 ms\n$/,
      ),
    ]);
  });
});
