/** What a decision cost a model, in its unit of work: tokens of candidates that met the vocabulary. */
import type { ChunkDecision } from './decision.js';

/** The same decision; its choice says how many tokens of candidates were decoded for it. */
export function* withDecodedPositions(decision: ChunkDecision): ChunkDecision {
  let decodedPositions = 0;
  let result = decision.next([]);
  while (!result.done) {
    const wish = result.value;
    const tokens = yield wish;
    // A wish for tokens counts as such, though whole candidates may have served it.
    decodedPositions += tokens.length * (typeof wish === 'number' ? (tokens[0]?.length ?? 0) : 1);
    result = decision.next(tokens);
  }
  return { ...result.value, decodedPositions };
}
