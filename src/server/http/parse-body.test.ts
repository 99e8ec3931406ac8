import { describe, expect, it } from 'vitest';
import { CalmError } from '../../errors.js';
import { completionSchema } from '../completions/completion-schema.js';
import { parseBody } from './parse-body.js';

function refusal(body: unknown): CalmError {
  try {
    parseBody(completionSchema, body);
  } catch (error) {
    if (error instanceof CalmError) return error;
    throw error;
  }
  throw new Error('the body was taken');
}

describe('parseBody', () => {
  it.each([
    [{ temperature: 'hot' }, 'temperature', '`temperature` must be a number from 0 to 2. Given: "hot".'],
    [{ temperature: -1 }, 'temperature', '`temperature` must be a number from 0 to 2. Given: -1.'],
    [{ max_tokens: -5 }, 'max_tokens', '`max_tokens` must be a whole number from 0 up. Given: -5.'],
    [{ max_tokens: 1.5 }, 'max_tokens', '`max_tokens` must be a whole number from 0 up. Given: 1.5.'],
    [{ n: 129 }, 'n', '`n` must be a whole number from 1 to 128. Given: 129.'],
    [{ stream: 'yes' }, 'stream', '`stream` must be true or false. Given: "yes".'],
    [
      { stop_token_ids: [1, 'x'] },
      'stop_token_ids',
      '`stop_token_ids` must be an array of token ids. Given at `stop_token_ids[1]`: "x".',
    ],
    [
      { stream_options: { include_usage: 1 } },
      'stream_options',
      '`stream_options` must be an object with `include_usage` and `continuous_usage_stats`, each true or false. ' +
        'Given at `stream_options.include_usage`: 1.',
    ],
  ])('refuses %j', (body, param, message) => {
    expect(refusal(body)).toMatchObject({ code: 'invalid_request', param, message });
  });

  it.each([{ prompt: {} }, { prompt: [] }, { prompt: [1, 'a'] }, { prompt: [1.5] }, { prompt: [-1] }])(
    'refuses %j',
    body => {
      expect(refusal(body)).toMatchObject({
        param: 'prompt',
        message: expect.stringMatching(/^`prompt` must be a string, an array/),
      });
    },
  );

  it.each([[[]], [null], ['text'], [3]])('refuses %j as a body', body => {
    expect(refusal(body).message).toMatch(/^The request body must be a JSON object\. Given: /);
  });

  it('takes null for every field and leaves unknown fields alone', () => {
    const nulls = Object.fromEntries(Object.keys(completionSchema.shape).map(field => [field, null]));
    expect(parseBody(completionSchema, { ...nulls, colour: 'red' })).toMatchObject({ prompt: null });
  });
});
