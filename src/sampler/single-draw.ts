/** T = 1: the model's own law, P(x). Cost: one candidate. */
import type { ChunkDecision } from './decision.js';

/** Takes the first candidate. */
export function* singleDraw(): ChunkDecision {
  const [chunk] = yield 1;
  return { chunk: chunk!, draws: 1, fallback: false };
}
