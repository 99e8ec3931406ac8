/** What scoring needs of a token model's probabilities. */
import type { Branch, NodeScore } from './brier.js';

/** Of one softmax. */
export interface SoftmaxStatistics {
  /** Probability of the token that was asked for; 0 where none was. */
  readonly probability: number;
  /** Sum of the squared probabilities: two draws agree with it. */
  readonly collision: number;
  /** Tokens drawn with weights P^2, what two draws have in common where they agree. */
  readonly shared: readonly number[];
}

/** Reads one softmax after the other; keeps the memory that it works in. */
export class SoftmaxReader {
  readonly #squares: Float64Array;

  constructor(vocabSize: number) {
    this.#squares = new Float64Array(vocabSize);
  }

  /**
   * @param logits of one context, at `offset` of an array
   * @param token whose probability is wanted, or null
   * @param uniforms in [0, 1), one for each shared token that is wanted
   */
  read(
    logits: Float32Array,
    offset: number,
    token: number | null,
    uniforms: readonly number[],
  ): SoftmaxStatistics {
    const squares = this.#squares;
    const size = squares.length;
    let largest = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < size; i += 1) largest = Math.max(largest, logits[offset + i] as number);
    let sum = 0;
    let squareSum = 0;
    for (let i = 0; i < size; i += 1) {
      const weight = Math.exp((logits[offset + i] as number) - largest);
      const square = weight * weight;
      squares[i] = square;
      sum += weight;
      squareSum += square;
    }
    return {
      probability: token === null ? 0 : Math.exp((logits[offset + token] as number) - largest) / sum,
      collision: squareSum / (sum * sum),
      shared: uniforms.map(uniform => this.#pick(uniform * squareSum)),
    };
  }

  /** The first token whose cumulative weight exceeds `target`. */
  #pick(target: number): number {
    const squares = this.#squares;
    let cumulative = 0;
    for (let i = 0; i < squares.length; i += 1) {
      cumulative += squares[i] as number;
      if (cumulative > target) return i;
    }
    return squares.length - 1;
  }
}

/** One softmax as a context of a tree: a token's share of the shared ones stands for its part of the collisions. */
export function softmaxNode(
  { probability, collision, shared }: SoftmaxStatistics,
  truth: number | null,
): NodeScore {
  const counts = new Map<number, number>();
  for (const token of shared) counts.set(token, (counts.get(token) ?? 0) + 1);
  const branch = (token: number, samples: number): Branch => ({
    chunk: [token],
    weight: (collision * samples) / shared.length,
    samples,
  });
  const same = truth === null ? 0 : (counts.get(truth) ?? 0);
  return {
    accuracy: [probability],
    collision: [collision],
    truth: {
      accuracy: probability,
      weight: same === 0 ? 0 : (collision * same) / shared.length,
      samples: same,
    },
    branches: [...counts]
      .filter(([token]) => token !== truth)
      .map(([token, samples]) => branch(token, samples)),
  };
}
