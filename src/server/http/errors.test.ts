import { describe, expect, it } from 'vitest';
import { CalmError } from '../../errors.js';
import { describeError } from './errors.js';

describe('describeError', () => {
  it('puts a thrown error into the envelope, with all four keys', () => {
    const error = new CalmError('invalid_request', '`n` must be 1.', { param: 'n' });
    expect(describeError(error)).toEqual({
      status: 400,
      headers: {},
      body: {
        error: {
          message: '`n` must be 1.',
          type: 'invalid_request_error',
          param: 'n',
          code: 'invalid_value',
        },
      },
    });
  });

  it('tells a refused client when to come back', () => {
    const { status, headers } = describeError(new CalmError('queue_full', 'Full.'));
    expect([status, headers]).toEqual([429, { 'retry-after': '1' }]);
  });

  it('does not show the message of an error that nobody meant to throw', () => {
    const { status, body } = describeError(new TypeError('secret is undefined'));
    expect(status).toBe(500);
    expect(body.error).toMatchObject({ type: 'server_error', param: null });
    expect(body.error.message).not.toContain('secret');
  });
});
