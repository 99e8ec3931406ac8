/**
 * Outcomes of a decision as nodes of the candidates' tree, and what the controls make of each. Cost: no draws; each
 * distinct outcome of a choice is weighed once, in time that grows with the square of the chunk's length.
 */
import type { CandidateDraws } from '../candidate-draws.js';
import type { CandidateTree } from '../candidate-tree.js';
import type { TokenWeights } from './token-weights.js';

/** What the controls do to one outcome's probability: (p^power e^logFactor)^(1/T). */
export interface OutcomeWeight {
  /** -Infinity where the outcome is banned. */
  readonly logFactor: number;
  readonly power: number;
}

/** The outcomes of one choice: the nodes of one depth below a node that is chosen already. */
export interface Choice {
  readonly prefix: number;
  readonly prefixDepth: number;
  /** One more than `prefixDepth` for a token, the whole chunk for a chunk. */
  readonly depth: number;
}

/** The outcomes that were drawn, as far as candidates are known, in order of first appearance. */
export function outcomesOf(draws: CandidateDraws, { prefix, prefixDepth, depth }: Choice): readonly number[] {
  if (depth === prefixDepth + 1) return draws.tree.children(prefix);
  const outcomes = new Set<number>();
  for (let candidate = 0; candidate < draws.fetched; candidate += 1) {
    const isBelow = draws.knownDepth(candidate) >= depth && draws.node(candidate, prefixDepth) === prefix;
    if (isBelow) outcomes.add(draws.node(candidate, depth));
  }
  return [...outcomes];
}

/** Weighs an outcome's tokens behind the prefix, each after those before it; the chunk's given ones are prompt. */
export function weigher(tree: CandidateTree, choice: Choice, givenCount: number, weights: TokenWeights) {
  const known = new Map<number, OutcomeWeight>();
  return (outcome: number): OutcomeWeight => {
    const weight = known.get(outcome) ?? weigh(tree, choice, givenCount, weights, outcome);
    known.set(outcome, weight);
    return weight;
  };
}

function weigh(
  tree: CandidateTree,
  choice: Choice,
  givenCount: number,
  weights: TokenWeights,
  outcome: number,
): OutcomeWeight {
  const tokens = tree.path(outcome).map(node => tree.token(node));
  let logFactor = 0;
  let power = 1;
  for (let i = choice.prefixDepth; i < choice.depth; i += 1) {
    const before = tokens.slice(givenCount, i);
    logFactor += weights.logFactor(tokens[i]!, before);
    power = weights.power(tokens[i]!, before);
  }
  return { logFactor, power };
}

/** No outcome has a greater `logFactor`. */
export function largestLogFactor(choice: Choice, givenCount: number, weights: TokenWeights): number {
  let largest = 0;
  for (let i = choice.prefixDepth; i < choice.depth; i += 1) {
    largest += weights.largestLogFactor(i - givenCount);
  }
  return largest;
}
