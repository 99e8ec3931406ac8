/** One token from the logits of one position, under everything that a request may ask of a token model. */
import { CalmError } from '../../errors.js';
import type { TokenControls, TokenHistory } from '../settings.js';
import { adjustLogits } from './adjust-logits.js';
import { cutoff } from './cutoff.js';

/** What decides about one token. */
export interface TokenChoiceInput {
  /** Of the whole vocabulary; changed in place. */
  readonly logits: Float32Array;
  /** 0 takes the most probable token. */
  readonly temperature: number;
  readonly controls: TokenControls;
  readonly history: TokenHistory;
  /** In [0, 1): the same number gives the same token. */
  readonly uniform: number;
}

/**
 * The order of operations is vLLM's (v1/sample/sampler.py): bans, bias, penalties; temperature; `minP`; `topK`; `topP`
 * of what is left. The token is the one where the cumulative probability, in the order of the ids, first exceeds
 * `uniform`, as in the graph's own draw.
 */
export class TokenSampler {
  /** exp((logit - largest) / temperature) by token: 1 for the most probable one. */
  readonly #weights: Float64Array;
  readonly #scratch: Float64Array;

  constructor(vocabSize: number) {
    this.#weights = new Float64Array(vocabSize);
    this.#scratch = new Float64Array(vocabSize);
  }

  /** Throws CalmError 'invalid_request' where the controls leave no token. */
  choose({ logits, temperature, controls, history, uniform }: TokenChoiceInput): number {
    adjustLogits(logits, controls, history);
    const best = indexOfLargest(logits);
    const largest = logits[best]!;
    if (largest === Number.NEGATIVE_INFINITY) throw nothingLeft();
    if (temperature === 0) return best;
    for (let token = 0; token < logits.length; token += 1) {
      this.#weights[token] = Math.exp((logits[token]! - largest) / temperature);
    }
    return this.#draw(this.#threshold(controls), uniform, best);
  }

  /** The least weight that the controls leave. */
  #threshold({ minP = 0, topK, topP = 1 }: TokenControls): number {
    let threshold = minP;
    if (topK !== undefined) {
      threshold = Math.max(
        threshold,
        this.#cut(
          threshold,
          () => 1,
          () => topK,
        ),
      );
    }
    if (topP < 1) {
      threshold = Math.max(
        threshold,
        this.#cut(
          threshold,
          weight => weight,
          total => total * topP,
        ),
      );
    }
    return threshold;
  }

  /** The cutoff among the tokens that a threshold leaves, with a target that may depend on their mass. */
  #cut(threshold: number, massOf: (weight: number) => number, targetOf: (total: number) => number): number {
    let length = 0;
    let total = 0;
    for (const weight of this.#weights) {
      if (weight === 0 || weight < threshold) continue;
      this.#scratch[length] = weight;
      length += 1;
      total += massOf(weight);
    }
    return cutoff(this.#scratch, length, massOf, targetOf(total));
  }

  #draw(threshold: number, uniform: number, best: number): number {
    let total = 0;
    for (const weight of this.#weights) if (weight >= threshold) total += weight;
    const target = uniform * total;
    let cumulative = 0;
    let last = best;
    for (let token = 0; token < this.#weights.length; token += 1) {
      const weight = this.#weights[token]!;
      if (weight === 0 || weight < threshold) continue;
      cumulative += weight;
      if (cumulative > target) return token;
      last = token;
    }
    return last;
  }
}

/** The first of the largest. */
function indexOfLargest(values: Float32Array): number {
  let best = 0;
  for (let index = 1; index < values.length; index += 1) if (values[index]! > values[best]!) best = index;
  return best;
}

function nothingLeft(): CalmError {
  return new CalmError('invalid_request', 'The request forbids every token: `logit_bias` must leave one.', {
    param: 'logit_bias',
  });
}
