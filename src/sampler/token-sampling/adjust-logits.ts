/** What a request's controls do to logits before the temperature: bias and bans first, then the penalties. */
import type { TokenControls, TokenHistory } from '../settings.js';

/** A bias of this or less bans its token. */
export const BANNING_BIAS = -100;

/**
 * Changes the logits of one position in place; a banned token's is -Infinity. In vLLM's order (v1/sample/sampler.py):
 * stop tokens before `minTokens`, `logitBias`, `repetitionPenalty` over prompt and answer, `frequencyPenalty` and
 * `presencePenalty` over the answer.
 */
export function adjustLogits(logits: Float32Array, controls: TokenControls, history: TokenHistory): void {
  const { minTokens = 0, logitBias, repetitionPenalty = 1 } = controls;
  if (history.generatedTokens.length < minTokens) {
    for (const token of history.stopTokenIds) logits[token] = Number.NEGATIVE_INFINITY;
  }
  for (const [token, bias] of logitBias ?? []) {
    logits[token] = bias <= BANNING_BIAS ? Number.NEGATIVE_INFINITY : logits[token]! + bias;
  }
  if (repetitionPenalty !== 1) penalizeRepetition(logits, repetitionPenalty, history);
  penalizeOccurrence(logits, controls, history.generatedTokens);
}

/** N. S. Keskar et al., "CTRL", 2019, section 4.1, with the sign taken care of as everyone does since. */
function penalizeRepetition(logits: Float32Array, penalty: number, history: TokenHistory): void {
  for (const token of new Set([...history.promptTokens, ...history.generatedTokens])) {
    const logit = logits[token]!;
    logits[token] = logit > 0 ? logit / penalty : logit * penalty;
  }
}

/** OpenAI's formula: logit - count * frequency penalty - (count > 0) * presence penalty. */
function penalizeOccurrence(
  logits: Float32Array,
  { frequencyPenalty = 0, presencePenalty = 0 }: TokenControls,
  generatedTokens: readonly number[],
): void {
  if (frequencyPenalty === 0 && presencePenalty === 0) return;
  const counts = new Map<number, number>();
  for (const token of generatedTokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  for (const [token, count] of counts) {
    logits[token] = logits[token]! - count * frequencyPenalty - presencePenalty;
  }
}
