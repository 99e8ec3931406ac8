import { describe, expect, it } from 'vitest';
import { checkAnswer } from './check-answer.js';
import type { AnswerContent } from './completion-object.js';

function answer(changes: Partial<AnswerContent>): AnswerContent {
  return {
    completionTokens: 10,
    finishReason: 'length',
    text: 'A short answer.',
    tokenIds: [],
    ...changes,
  };
}

const forced = { maxTokens: 10, ignoreEos: true, allowLoops: false };
const free = { ...forced, ignoreEos: false };

describe('checkAnswer', () => {
  it('accepts right answers', () => {
    expect(() => checkAnswer(answer({}), forced)).not.toThrow();
    expect(() => checkAnswer(answer({ completionTokens: 4, finishReason: 'stop' }), free)).not.toThrow();
    expect(() => checkAnswer(answer({ finishReason: 'stop' }), free)).not.toThrow();
  });

  it.each([
    ['wrong_token_count', { completionTokens: 9 }, forced],
    ['wrong_token_count', { completionTokens: 11 }, free],
    ['wrong_token_count', { completionTokens: 0, finishReason: 'stop' }, free],
    ['wrong_finish_reason', { finishReason: null }, forced],
    ['wrong_finish_reason', { finishReason: 'stop' }, forced],
    ['wrong_finish_reason', { finishReason: 'error' }, free],
    ['wrong_finish_reason', { completionTokens: 4, finishReason: 'length' }, free],
    ['repetition_loop', { text: 'on and on '.repeat(20) }, forced],
    ['repetition_loop', { text: '', tokenIds: Array.from({ length: 40 }, () => 8) }, forced],
  ] as const)('refuses %s: %j', (code, changes, expected) => {
    expect(() => checkAnswer(answer(changes), expected)).toThrow(expect.objectContaining({ code }));
  });

  it('lets loops pass where they are allowed', () => {
    const loop = answer({ text: 'on and on '.repeat(20) });
    expect(() => checkAnswer(loop, { ...forced, allowLoops: true })).not.toThrow();
  });
});
