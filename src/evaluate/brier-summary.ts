/** From scores of positions to BrierLM and its standard error. */
import { LONGEST_NGRAM, type PositionScore } from './brier.js';

export interface BrierSummary {
  /** 100 times the geometric mean of Brier-1 to Brier-4; 0 where one of them is not positive. */
  readonly brierlm: number;
  /** Null where it cannot be told: a score of 0, or fewer than two documents. */
  readonly brierlmStderr: number | null;
  /** Brier-1 to Brier-4 in percent: means over all positions. */
  readonly brier: readonly number[];
  readonly positions: number;
  /** Documents with at least one position. */
  readonly documents: number;
}

interface DocumentSums {
  positions: number;
  readonly brier: number[];
}

/** Adds up positions by document: positions of one document are not independent, documents are. */
export class BrierTotals {
  readonly #documents = new Map<number, DocumentSums>();

  /** Adds one position of a document. */
  add(document: number, score: PositionScore): void {
    let sums = this.#documents.get(document);
    if (sums === undefined) {
      sums = { positions: 0, brier: new Array<number>(LONGEST_NGRAM).fill(0) };
      this.#documents.set(document, sums);
    }
    sums.positions += 1;
    for (let n = 0; n < LONGEST_NGRAM; n += 1) {
      sums.brier[n]! += 2 * (score.accuracy[n] ?? 0) - (score.collision[n] ?? 0);
    }
  }

  /** The score so far; all zeros without a position. */
  summary(): BrierSummary {
    const documents = [...this.#documents.values()];
    const positions = documents.reduce((sum, document) => sum + document.positions, 0);
    const means = Array.from({ length: LONGEST_NGRAM }, (_, n) =>
      positions === 0 ? 0 : documents.reduce((sum, { brier }) => sum + brier[n]!, 0) / positions,
    );
    const brierlm = means.every(mean => mean > 0)
      ? 100 * means.reduce((product, mean) => product * mean, 1) ** (1 / LONGEST_NGRAM)
      : 0;
    const relative = brierlm > 0 && documents.length > 1 ? relativeError(documents, positions, means) : null;
    return {
      brierlm,
      brierlmStderr: relative === null ? null : brierlm * relative,
      brier: means.map(mean => 100 * mean),
      positions,
      documents: documents.length,
    };
  }
}

/**
 * Standard error of ln BrierLM = 1/4 sum_n ln(mean of Brier-n) by the delta method, documents being the independent
 * units: each contributes its residuals sum - positions * mean, so that the four lengths' covariances count too.
 */
function relativeError(
  documents: readonly DocumentSums[],
  positions: number,
  means: readonly number[],
): number {
  const influences = documents.map(document =>
    means.reduce((sum, mean, n) => {
      const residual = document.brier[n]! - document.positions * mean;
      return sum + residual / (LONGEST_NGRAM * positions * mean);
    }, 0),
  );
  const squares = influences.reduce((sum, influence) => sum + influence * influence, 0);
  return Math.sqrt((squares * documents.length) / (documents.length - 1));
}
