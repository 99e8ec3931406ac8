import { describe, expect, it } from 'vitest';
import type { Generation } from '../generation/generation.js';
import { AnswerMeter } from './answer-meter.js';

const meterOf = (promptLengths: readonly number[], choiceCount: number) =>
  new AnswerMeter({
    prompts: promptLengths.map(length => ({ tokens: Array(length).fill(1) })),
    choiceCount,
    candidateCount: choiceCount,
    chunkSize: 4,
  } as unknown as Generation);

const chunk = (
  draws: number,
  fallback: boolean,
  times: readonly [number, number, number],
  reusedPromptTokens = 0,
) => ({
  reusedPromptTokens,
  draws,
  decodedPositions: 3 * draws,
  fallback,
  timing: { queuedMs: times[0], firstChunkMs: times[1], elapsedMs: times[2] },
});

describe('an answer', () => {
  it('adds up chunks, draws and fallbacks, and times all choices from the first start to the last chunk', () => {
    const meter = meterOf([3, 5], 1);
    meter.add({ index: 0, tokenIds: [1, 1, 1, 1], chunk: chunk(5, false, [10, 30, 30], 2) });
    meter.add({ index: 1, tokenIds: [1, 1], chunk: chunk(7, true, [20, 50, 50]) });
    meter.add({ index: 1, tokenIds: [1], chunk: null });
    meter.add({ index: 0, tokenIds: [1], chunk: chunk(1, true, [10, 30, 90], 2) });
    expect(meter.usage).toEqual({
      prompt_tokens: 8,
      completion_tokens: 8,
      total_tokens: 16,
      prompt_tokens_details: { cached_tokens: 2 },
    });
    expect(meter.timings).toEqual({
      prompt_n: 8,
      prompt_ms: 20,
      predicted_n: 8,
      predicted_ms: 80,
      predicted_per_second: 100,
      chunks: 3,
      chunk_size: 4,
      draws: 13,
      decoded_positions: 39,
      fallbacks: 2,
    });
  });

  it('says of each prompt what its first choice found in the prefix cache', () => {
    const meter = meterOf([9, 9], 2);
    const found = [4, 8, 0, 8];
    for (const [index, tokens] of found.entries()) {
      meter.add({ index, tokenIds: [1], chunk: chunk(1, false, [0, 1, 2], tokens) });
    }
    expect(meter.usage.prompt_tokens_details).toEqual({ cached_tokens: 4 });
  });

  it('is complete when all of its choices are', () => {
    const meter = meterOf([1, 1], 2);
    const after = [1, 2, 3, 4].map(() => {
      meter.choiceEnded();
      return meter.isComplete;
    });
    expect(after).toEqual([false, false, false, true]);
  });
});
