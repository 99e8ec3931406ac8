/** Every answer is checked: speed of a wrong answer is worth nothing. */
import type { AnswerContent } from './completion-object.js';
import { findLoop } from './repetition.js';
import { RequestFailure } from './request-failure.js';

export interface AnswerExpectation {
  readonly maxTokens: number;
  /** The server was told to go on to `maxTokens`, so every other count is wrong. */
  readonly ignoreEos: boolean;
  readonly allowLoops: boolean;
}

/** Shorter repetitions happen in good texts too ("ha ha ha ha"). */
const leastLoopCharacters = 64;
const leastLoopTokens = 32;

/** @throws RequestFailure wrong_token_count, wrong_finish_reason or repetition_loop */
export function checkAnswer(answer: AnswerContent, expected: AnswerExpectation): void {
  checkCount(answer, expected);
  checkFinishReason(answer, expected);
  if (!expected.allowLoops) checkLoop(answer);
}

function checkCount({ completionTokens }: AnswerContent, { maxTokens, ignoreEos }: AnswerExpectation): void {
  const isRight = ignoreEos
    ? completionTokens === maxTokens
    : completionTokens >= 1 && completionTokens <= maxTokens;
  if (isRight) return;
  const wanted = ignoreEos
    ? `${maxTokens}, as max_tokens with ignore_eos demands (--no-ignore-eos for servers without it)`
    : `1 to ${maxTokens}`;
  throw new RequestFailure(
    'wrong_token_count',
    `The answer has ${completionTokens} tokens by its usage. Expected: ${wanted}.`,
  );
}

function checkFinishReason(
  { finishReason, completionTokens }: AnswerContent,
  { maxTokens, ignoreEos }: AnswerExpectation,
): void {
  const isFull = completionTokens === maxTokens;
  // A text may end by itself exactly at the limit, but not where ends are ignored.
  const allowed = [...(isFull ? ['length'] : []), ...(ignoreEos ? [] : ['stop'])];
  if (finishReason !== null && allowed.includes(finishReason)) return;
  throw new RequestFailure(
    'wrong_finish_reason',
    `finish_reason is ${JSON.stringify(finishReason)} after ${completionTokens} of ${maxTokens} tokens. ` +
      `Expected: ${allowed.map(reason => JSON.stringify(reason)).join(' or ')}.`,
  );
}

function checkLoop({ text, tokenIds }: AnswerContent): void {
  const period = text !== '' ? findLoop(text, leastLoopCharacters) : findLoop(tokenIds, leastLoopTokens);
  if (period === null) return;
  const part = text !== '' ? JSON.stringify(text.slice(-period).slice(0, 80)) : `${period} tokens`;
  throw new RequestFailure(
    'repetition_loop',
    `The answer ends in a loop over ${part}. Raise the temperature, or count such answers with --allow-loops.`,
  );
}
