/**
 * Decisions under controls (token-weights.ts), and those whose first tokens are given.
 *
 * Law. Position by position, (P(token | chosen tokens before it)^power e^logFactor)^(1/T) / Z: a try as without controls,
 * but after its first draw a coin decides whether it goes on, with e^(logFactor / T) over the greatest such factor; a
 * banned token never does. The coin reads the first i tokens only, so the proof of the token law holds
 * (docs/sampling.md). Under the chunk law whole chunks take the product of their tokens' factors.
 *
 * Where tries have no law (T = 0, T > 1, a power below 1), or the tail is cut, a pool of candidates decides instead: a
 * finite-pool approximation.
 *
 * Where the candidates hold nothing that is allowed, more are drawn until one is, up to a limit; there the request ends
 * with a sentence.
 *
 * Given tokens are chosen before anything is drawn: the decision goes on below them, with the exact conditional law.
 *
 * Cost: that of token-law.ts or exact-chunk-law.ts over the share of first draws that are accepted (controlled-tries.ts), over
 * the probability of the given tokens; a pool costs its N. At most `softLimit` candidates where tries find no end, and
 * `hardLimit` where nothing allowed comes.
 */
import { CandidateDraws, type Drawing } from '../candidate-draws.js';
import type { ChunkDecision } from '../decision.js';
import { chooseByOutcomeLaw, type OutcomeLaw } from '../exact-power.js';
import { growingRounds } from '../round-size.js';
import type { TokenControls } from '../settings.js';
import { drawsBelow } from '../token-law.js';
import type { RandomStream } from '../uniform.js';
import {
  type Choice,
  largestLogFactor,
  type OutcomeWeight,
  outcomesOf,
  weigher,
} from './controlled-outcomes.js';
import { chooseFromPool } from './controlled-pool.js';
import { nothingAllowed } from './nothing-allowed.js';
import type { TokenWeights } from './token-weights.js';

/** What a controlled decision is made of. */
export interface ControlledInput {
  readonly temperature: number;
  readonly controls: TokenControls;
  readonly weights: TokenWeights;
  /** What the chunk begins with, fewer tokens than it has. */
  readonly given: readonly number[];
  /** Chooses among whole chunks instead of one token after the other. */
  readonly byChunk: boolean;
  /** The law of tries, from outcomes' weights; null where a pool decides. */
  readonly tries:
    | ((weightOf: (outcome: number) => OutcomeWeight, largestLogFactor: number) => OutcomeLaw)
    | null;
  /** Candidates after which a pool decides. */
  readonly softLimit: number;
  /** The same of those that begin with the given tokens, where there are any. */
  readonly acceptedLimit: number;
  /** Candidates after which the request ends where none of them is allowed. */
  readonly hardLimit: number;
  /** Throws where tries must not end in a pool's choice. */
  readonly onSoftLimit: () => void;
  readonly random: RandomStream;
}

/** Decides one chunk. */
export function* controlledDecision(input: ControlledInput): ChunkDecision {
  const draws = new CandidateDraws(input.softLimit, growingRounds());
  yield* draws.reach(0);
  let prefix = yield* followGiven(draws, input);
  const mayDraw = acceptance(draws, prefix, input);
  let fallback = false;
  for (let prefixDepth = input.given.length; prefixDepth < draws.chunkSize; ) {
    const depth = input.byChunk ? draws.chunkSize : prefixDepth + 1;
    const chosen = yield* choose(draws, { prefix, prefixDepth, depth }, input, mayDraw);
    prefix = chosen.outcome;
    prefixDepth = depth;
    fallback ||= chosen.fallback;
  }
  return { chunk: draws.tree.chunk(prefix), draws: draws.fetched, drawsNeeded: draws.read, fallback };
}

/** The node of the given tokens, once a candidate begins with them. */
function* followGiven(draws: CandidateDraws, { given, hardLimit }: ControlledInput): Drawing<number> {
  const { tree } = draws;
  let prefix = 0;
  for (const token of given) {
    const find = () => tree.children(prefix).find(node => tree.token(node) === token);
    prefix = yield* drawUntil(draws, hardLimit, find, () => nothingAllowed(hardLimit, 'given'));
  }
  return prefix;
}

/**
 * Whether a pool needs more candidates. A decision asks only when it has read all that were fetched, so the answer
 * depends on nothing that it has not read.
 */
function acceptance(
  { tree }: CandidateDraws,
  givenNode: number,
  { given, acceptedLimit }: ControlledInput,
): () => boolean {
  return () => given.length === 0 || tree.count(givenNode) < acceptedLimit;
}

function* choose(
  draws: CandidateDraws,
  choice: Choice,
  input: ControlledInput,
  mayDraw: () => boolean,
): Drawing<{ readonly outcome: number; readonly fallback: boolean }> {
  const { tree } = draws;
  const { weights, given, tries, temperature, controls, hardLimit, random } = input;
  const weightOf = weigher(tree, choice, given.length, weights);
  if (tries) {
    const law = tries(weightOf, largestLogFactor(choice, given.length, weights));
    const next = drawsBelow(draws, choice.prefix, choice.prefixDepth, choice.depth, mayDraw);
    const outcome = yield* chooseByOutcomeLaw(next, law, random);
    if (outcome !== undefined) return { outcome, fallback: false };
    input.onSoftLimit();
  } else if (given.length === 0) yield* draws.fetchAll();
  else while (mayDraw() && (yield* draws.reach(draws.fetched)));
  const allowed = () => {
    const found = outcomesOf(tree, choice).filter(node => weightOf(node).logFactor > -Infinity);
    return found.length > 0 ? found : undefined;
  };
  const outcomes = yield* drawUntil(draws, hardLimit, allowed, () => nothingAllowed(hardLimit, 'controls'));
  const total = tree.count(choice.prefix);
  const outcome = chooseFromPool({ tree, outcomes, weightOf, total, temperature, controls, random });
  const largest = outcomes.reduce((count, node) => Math.max(count, tree.count(node)), 0);
  const isWeak = temperature > 0 && temperature < 1 && largest < 1 / temperature;
  return { outcome, fallback: tries !== null || isWeak };
}

/** Draws one round after the other until something is found; throws `failure` where the limit is reached before. */
function* drawUntil<Found>(
  draws: CandidateDraws,
  limit: number,
  find: () => Found | undefined,
  failure: () => Error,
): Drawing<Found> {
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    if (!(yield* draws.reach(draws.fetched, limit))) throw failure();
  }
}
