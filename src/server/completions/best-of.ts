/** `best_of`: more choices than are answered, and which of them are. */
import type { ChoiceDelta } from '../generation/completion-run.js';

/**
 * The `count` best of a prompt's choices by mean log-probability a token, in descending order; equal ones as they came.
 * A choice without tokens comes last.
 *
 * @param choices the deltas of each choice
 * @param vocabSize of the model, for the estimate that a CALM's counts need
 */
export function chooseBest(
  choices: readonly (readonly ChoiceDelta[])[],
  count: number,
  vocabSize: number,
): (readonly ChoiceDelta[])[] {
  if (choices.length <= count) return [...choices];
  const scored = choices.map(parts => ({ parts, score: meanLogProbability(parts, vocabSize) }));
  return scored
    .toSorted((a, b) => (a.score === b.score ? 0 : b.score - a.score))
    .slice(0, count)
    .map(({ parts }) => parts);
}

function meanLogProbability(parts: readonly ChoiceDelta[], vocabSize: number): number {
  const tokenCount = parts.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  const known = parts.flatMap(({ logprobs }) => logprobs ?? []).map(({ logprob }) => logprob);
  const logProbabilities = known.length > 0 ? known : countedLogProbabilities(parts, vocabSize);
  if (tokenCount === 0) return Number.NEGATIVE_INFINITY;
  const sum = logProbabilities.slice(0, tokenCount).reduce((total, logprob) => total + logprob, 0);
  return sum / tokenCount;
}

/**
 * What a CALM has instead: how many of N fresh candidates go on with each token. Its probability is estimated as if one
 * more candidate had been drawn uniformly from the vocabulary, so that a count of 0 is no impossibility, and a token
 * of which no candidate says anything counts as a uniform one.
 */
function countedLogProbabilities(parts: readonly ChoiceDelta[], vocabSize: number): number[] {
  return parts
    .flatMap(({ chunk }) => chunk?.statistics ?? [])
    .map(({ count, of }) => Math.log((count + 1 / vocabSize) / (of + 1)));
}
