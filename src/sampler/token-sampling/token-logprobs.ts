/** Log-probabilities of tokens, as the model gives them: before the temperature and before any control. */

/** A token and the logarithm of its probability. */
export interface TokenLogprob {
  readonly token: number;
  readonly logprob: number;
}

/** A token of a text, and the most probable ones in its place. */
export interface TokenLogprobs extends TokenLogprob {
  /** In descending order, equal ones by their ids; the token itself is among them only where it belongs there. */
  readonly top: readonly TokenLogprob[];
}

/** What the log-softmax of `logits` says of `token`, and of the `topCount` most probable tokens. */
export function tokenLogprobs(logits: Float32Array, token: number, topCount: number): TokenLogprobs {
  const normalizer = logSumExp(logits);
  const entry = (id: number): TokenLogprob => ({ token: id, logprob: logits[id]! - normalizer });
  return { ...entry(token), top: largest(logits, topCount).map(entry) };
}

function logSumExp(logits: Float32Array): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > highest) highest = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - highest);
  return highest + Math.log(sum);
}

/** Indices of the `count` largest values, in descending order; `count` is small. */
function largest(values: Float32Array, count: number): number[] {
  const indices: number[] = [];
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index]!;
    if (indices.length === count && !(value > (values[indices.at(-1) ?? 0] ?? 0))) continue;
    if (count === 0) break;
    let place = indices.length;
    while (place > 0 && values[indices[place - 1]!]! < value) place -= 1;
    indices.splice(place, 0, index);
    if (indices.length > count) indices.pop();
  }
  return indices;
}
