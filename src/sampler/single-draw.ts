/**
 * T = 1. Law: P(x), the model's own, which a draw has by what a CALM is: noise through the head and the decoder (CALM,
 * arXiv 2510.27688). Cost: one candidate.
 */
import type { ChunkDecision } from './decision.js';

/** Takes the first candidate. */
export function* singleDraw(): ChunkDecision {
  const [chunk] = yield 1;
  return { chunk: chunk!, draws: 1, fallback: false };
}
