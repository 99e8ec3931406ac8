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
import { type DrawOutlook, growingRounds, type RoundSize } from '../round-size.js';
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
  /** What drawing is likely to cost. */
  readonly outlook: DrawOutlook | undefined;
  /**
   * Tokens a chunk, where candidates are decoded token by token. Where whole chunks are chosen that pays below given tokens
   * only: whether a try goes on depends on all tokens of its first candidate, and each next try on that.
   */
  readonly partialSize: number | undefined;
}

/** Decides one chunk. */
export function* controlledDecision(input: ControlledInput): ChunkDecision {
  const roundSize = input.given.length > 0 ? steadyRounds : growingRounds(input.outlook);
  const draws = new CandidateDraws(input.softLimit, roundSize, input.partialSize);
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
  return { chunk: draws.chunk(prefix), draws: draws.fetched, drawsNeeded: draws.read, fallback };
}

/**
 * Where a pool's end depends on what was found, all that was fetched counts: rounds must then depend on nothing but how
 * many there were.
 */
const steadyRounds: RoundSize = (drawn, _counts, left) => growingRounds()(drawn, () => [2], left);

/** The node of the given tokens, once a candidate begins with them. */
function* followGiven(draws: CandidateDraws, { given, hardLimit }: ControlledInput): Drawing<number> {
  let prefix = 0;
  for (const [depth, token] of given.entries()) {
    const next = drawsBelow(draws, prefix, depth, depth + 1, () => true, hardLimit);
    let node: number | undefined;
    do {
      node = yield* next();
      if (node === undefined) throw nothingAllowed(hardLimit, 'given');
    } while (draws.tree.token(node) !== token);
    prefix = node;
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
  const { weights, given, tries, temperature, controls, random } = input;
  const weightOf = weigher(tree, choice, given.length, weights);
  if (tries) {
    const law = tries(weightOf, largestLogFactor(choice, given.length, weights));
    const next = drawsBelow(draws, choice.prefix, choice.prefixDepth, choice.depth, mayDraw);
    const outcome = yield* chooseByOutcomeLaw(next, law, random);
    if (outcome !== undefined) return { outcome, fallback: false };
    input.onSoftLimit();
  } else if (given.length === 0) yield* draws.fetchAll();
  else {
    do yield* draws.lookAtAll(choice.prefix, choice.depth);
    while (mayDraw() && (yield* draws.reach(draws.fetched)));
  }
  const isAllowed = (node: number) => weightOf(node).logFactor > -Infinity;
  const outcomes = yield* allowedOutcomes(draws, choice, isAllowed, input.hardLimit);
  const total = tree.count(choice.prefix);
  const outcome = chooseFromPool({ tree, outcomes, weightOf, total, temperature, controls, random });
  const largest = outcomes.reduce((count, node) => Math.max(count, tree.count(node)), 0);
  const isWeak = temperature > 0 && temperature < 1 && largest < 1 / temperature;
  return { outcome, fallback: tries !== null || isWeak };
}

/** The allowed outcomes of a pool; where it has none, more candidates are drawn until there is one, up to a limit. */
function* allowedOutcomes(
  draws: CandidateDraws,
  choice: Choice,
  isAllowed: (outcome: number) => boolean,
  limit: number,
): Drawing<readonly number[]> {
  for (;;) {
    yield* draws.lookAtAll(choice.prefix, choice.depth);
    const found = outcomesOf(draws, choice).filter(isAllowed);
    if (found.length > 0) return found;
    if (draws.fetched >= limit) throw nothingAllowed(limit, 'controls');
    const { fetched } = draws;
    yield* draws.fetchMore(
      steadyRounds(fetched, () => [], limit - fetched),
      limit,
    );
  }
}
