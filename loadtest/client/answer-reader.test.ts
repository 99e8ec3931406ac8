import { describe, expect, it } from 'vitest';
import { AnswerReader } from './answer-reader.js';
import { describeTimes } from './completion-call.js';

const event = (value: unknown) => ({
  name: '',
  data: typeof value === 'string' ? value : JSON.stringify(value),
});

function chunk(text: string, completionTokens?: number, finishReason: string | null = null) {
  const usage =
    completionTokens === undefined
      ? {}
      : { usage: { prompt_tokens: 5, completion_tokens: completionTokens } };
  return event({ choices: [{ text, finish_reason: finishReason }], ...usage });
}

const done = event('[DONE]');

describe('AnswerReader', () => {
  it('counts tokens by usage and times by events that carry text', () => {
    const reader = new AnswerReader();
    reader.read(chunk('', 0), 90);
    reader.read(chunk(' Once upon a', 4), 100);
    reader.read(chunk(' time there was', 8), 130);
    reader.read(chunk(' a', 9, 'length'), 150);
    reader.read(event({ choices: [], usage: { prompt_tokens: 5, completion_tokens: 9 } }), 151);
    reader.read(done, 151);
    const answer = reader.finish();
    expect(answer).toMatchObject({
      firstChunkMs: 100,
      endMs: 150,
      gapsMs: [30, 20],
      chunkCount: 3,
      firstChunkTokens: 4,
      promptTokens: 5,
      completionTokens: 9,
      finishReason: 'length',
      text: ' Once upon a time there was a',
    });
    // 50 ms for the 5 tokens after the first chunk; tokens - 1 would claim 6.25 ms.
    expect(describeTimes(answer, 60)).toMatchObject({
      ttftMs: 40,
      e2eMs: 90,
      msPerToken: 10,
      tokens: 9,
      chunks: 3,
    });
  });

  it('takes chunks as equal where usage comes only at the end', () => {
    const reader = new AnswerReader();
    reader.read(chunk('a'), 0);
    reader.read(chunk('b'), 40);
    reader.read(chunk('c', undefined, 'length'), 80);
    reader.read(event({ choices: [], usage: { completion_tokens: 12 } }), 80);
    reader.read(done, 80);
    const answer = reader.finish();
    expect(answer.firstChunkTokens).toBeNull();
    expect(describeTimes(answer, 0).msPerToken).toBe(10);
  });

  it('has no time per token where one chunk held everything', () => {
    const reader = new AnswerReader();
    reader.read(chunk('abc', 3, 'length'), 5);
    reader.read(done, 5);
    expect(describeTimes(reader.finish(), 0)).toMatchObject({ msPerToken: null, chunks: 1 });
  });

  it("keeps the last count of draws, and takes another server's timings for none", () => {
    const read = (...timings: readonly unknown[]) => {
      const reader = new AnswerReader();
      for (const value of timings) reader.read(event({ choices: [{ text: 'a' }], timings: value }), 0);
      reader.read(event({ choices: [], usage: { completion_tokens: 9 } }), 0);
      reader.read(done, 0);
      return reader.finish().draws;
    };
    expect(read({ draws: 60, chunks: 1 }, { draws: 150, chunks: 2, chunk_size: 4 })).toEqual({
      draws: 150,
      chunks: 2,
    });
    expect(read({ predicted_n: 9, predicted_ms: 3.5, cache_n: 0 })).toBeNull();
    expect(read({ draws: 'many', chunks: 2 })).toBeNull();
    expect(read({ draws: 0, chunks: 0 })).toBeNull();
    expect(read(null, 'none')).toBeNull();
  });

  it('takes token ids as content where a model has no text', () => {
    const reader = new AnswerReader();
    reader.read(event({ choices: [{ text: '', token_ids: [3, 4] }] }), 10);
    reader.read(event({ choices: [{ text: '', token_ids: [5], finish_reason: 'length' }] }), 20);
    reader.read(event({ choices: [], usage: { completion_tokens: 3 } }), 21);
    reader.read(done, 21);
    expect(reader.finish()).toMatchObject({ gapsMs: [10], chunkCount: 2, tokenIds: [3, 4, 5] });
  });

  it.each([
    ['malformed', event('{"choices": [')],
    ['malformed', event({ object: 'something else' })],
    ['malformed', event({ choices: [{ text: 3 }] })],
    ['error_in_stream', event({ error: { message: 'The engine died.', code: 'internal' } })],
    ['error_in_stream', { name: 'error', data: '{"message": "The engine died."}' }],
  ])('reports %s events: %j', (code, bad) => {
    const reader = new AnswerReader();
    expect(() => reader.read(bad, 0)).toThrow(expect.objectContaining({ code }));
  });

  it('shows the words of an error', () => {
    const reader = new AnswerReader();
    expect(() => reader.read(event({ error: { message: 'The engine died.' } }), 0)).toThrow(
      'The engine died.',
    );
  });

  it('takes a stream without [DONE] for cut off, and one without usage for uncountable', () => {
    const cut = new AnswerReader();
    cut.read(chunk('a', 1), 0);
    expect(() => cut.finish()).toThrow(expect.objectContaining({ code: 'dropped' }));
    const uncounted = new AnswerReader();
    uncounted.read(chunk('a', undefined, 'length'), 0);
    uncounted.read(done, 0);
    expect(() => uncounted.finish()).toThrow(expect.objectContaining({ code: 'no_usage' }));
  });
});
