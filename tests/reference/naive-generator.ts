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
  const isConditioned =
    request.promptAlignment === 'condition' && request.promptTokens.length % chunkSize > 0;
  const given = isConditioned ? request.promptTokens.slice(-(request.promptTokens.length % chunkSize)) : [];
  const asked = request.promptTokens.slice(0, request.promptTokens.length - given.length);
  const prompt = [...asked];
  while (prompt.length === 0 || prompt.length % chunkSize !== 0) prompt.unshift(bosTokenId);
  const beginsAtBorder = prompt.length === asked.length;
  if (beginsAtBorder && prompt[0] !== bosTokenId && prompt.length < contextChunks * chunkSize) {
    prompt.unshift(...new Array<number>(chunkSize).fill(bosTokenId));
  }
  const chunks = cut(prompt, chunkSize);
  const prefilled = chunks.length - 1;
  const history: CachedChunk[] = chunks.map((tokens, i) => ({ tokens, alone: prefilled === 1 && i === 0 }));

  const text: number[] = [];
  for (let step = 0; history.length <= contextChunks; step += 1) {
    const prefix = step === 0 ? given : [];
    const { chunk } = fakeChoice(shape, history, request.sampling, step, prefix);
    history.push({ tokens: chunk, alone: false });
    for (const token of chunk.slice(prefix.length)) {
      const mayStop = text.length >= request.minTokens;
      if (mayStop && request.stopTokenIds.includes(token)) return { tokens: text, finishReason: 'stop' };
      text.push(token);
      if (text.length === request.maxTokens) return { tokens: text, finishReason: 'length' };
    }
  }
  return { tokens: text, finishReason: 'length' };
}
