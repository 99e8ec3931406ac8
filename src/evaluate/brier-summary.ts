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
  /**
   * By document, how far it moves ln BrierLM; null where the score is 0. They add up to 0, and their spread is the
   * standard error.
   */
  readonly influences: ReadonlyMap<number, number> | null;
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
    const influences = brierlm > 0 ? this.#influences(positions, means) : null;
    const relative = influences && standardError([...influences.values()]);
    return {
      brierlm,
      brierlmStderr: relative === null ? null : brierlm * relative,
      brier: means.map(mean => 100 * mean),
      positions,
      documents: documents.length,
      influences,
    };
  }

  /**
   * Of ln BrierLM = 1/4 sum_n ln(mean of Brier-n) by the delta method: each document's residuals,
   * sum - positions * mean, of the four lengths together, so that their covariances count too.
   */
  #influences(positions: number, means: readonly number[]): Map<number, number> {
    const influence = (document: DocumentSums): number =>
      means.reduce((sum, mean, n) => {
        const residual = document.brier[n]! - document.positions * mean;
        return sum + residual / (LONGEST_NGRAM * positions * mean);
      }, 0);
    return new Map([...this.#documents].map(([number, document]) => [number, influence(document)]));
  }
}

/** Standard error of a sum of influences, documents being the independent units; null for fewer than two of them. */
export function standardError(influences: readonly number[]): number | null {
  const count = influences.length;
  if (count < 2) return null;
  const squares = influences.reduce((sum, influence) => sum + influence * influence, 0);
  return Math.sqrt((squares * count) / (count - 1));
}
