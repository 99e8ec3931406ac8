/**
 * The engine's slow twin: one request, alone, its whole history in one array. No batch, no slots, no queue; written
 * from the rules in the documentation, not from the engine's code.
 */
import type { GenerationRequest } from '../../src/runtime/request.js';
import { type CachedChunk, cut, type FakeShape, fakeChoice } from './fake-model.js';

export interface NaiveText {
  readonly tokens: readonly number[];
  readonly finishReason: 'stop' | 'length';
}

/** What the fake model writes for this request. */
export function generateNaively(shape: FakeShape, bosTokenId: number, request: GenerationRequest): NaiveText {
  const { chunkSize, contextChunks } = shape;
  const prompt = [...request.promptTokens];
  while (prompt.length === 0 || prompt.length % chunkSize !== 0) prompt.unshift(bosTokenId);
  const beginsAtBorder = prompt.length === request.promptTokens.length;
  if (beginsAtBorder && prompt[0] !== bosTokenId && prompt.length < contextChunks * chunkSize) {
    prompt.unshift(...new Array<number>(chunkSize).fill(bosTokenId));
  }
  const chunks = cut(prompt, chunkSize);
  const prefilled = chunks.length - 1;
  const history: CachedChunk[] = chunks.map((tokens, i) => ({ tokens, alone: prefilled === 1 && i === 0 }));

  const text: number[] = [];
  for (let step = 0; history.length <= contextChunks; step += 1) {
    const { chunk } = fakeChoice(shape, history, request.sampling, step);
    history.push({ tokens: chunk, alone: false });
    for (const token of chunk) {
      const mayStop = text.length >= request.minTokens;
      if (mayStop && request.stopTokenIds.includes(token)) return { tokens: text, finishReason: 'stop' };
      text.push(token);
      if (text.length === request.maxTokens) return { tokens: text, finishReason: 'length' };
    }
  }
  return { tokens: text, finishReason: 'length' };
}
