/** Two models on the same text: what one scores over the other, with the error that is left when the text is shared. */
import { CalmError } from '../errors.js';
import { type BrierSummary, standardError } from './brier-summary.js';

/** One model's BrierLM over another's. */
export interface BrierRatio {
  /** Null where one of the scores is 0. */
  readonly ratio: number | null;
  /** Over pairs of documents: what is hard for both models cancels. Null without a ratio, or for one document. */
  readonly ratioStderr: number | null;
}

/**
 * The ratio of two scores of the same documents at the same places, its error by the delta method on the difference of
 * their logarithms.
 * @throws CalmError bad_usage where they were not scored at the same places
 */
export function brierRatio(one: BrierSummary, other: BrierSummary): BrierRatio {
  if (one.positions !== other.positions || one.documents !== other.documents) {
    throw new CalmError(
      'bad_usage',
      `The models were scored at ${one.positions} and ${other.positions} positions; compare them at one --block and --stride.`,
    );
  }
  const { influences } = other;
  if (one.influences === null || influences === null) return { ratio: null, ratioStderr: null };
  const differences = [...one.influences].map(
    ([document, influence]) => influence - (influences.get(document) ?? 0),
  );
  const ratio = one.brierlm / other.brierlm;
  const relative = standardError(differences);
  return { ratio, ratioStderr: relative === null ? null : ratio * relative };
}
