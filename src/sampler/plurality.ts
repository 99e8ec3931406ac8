/**
 * T = 0. Law: what appears most often among N candidates; among equals, the one seen first. Under the chunk law that is
 * a chunk, under the token law a token for each position, among the candidates that begin with those before it. As N
 * grows that is the likeliest outcome; at N it is the paper's pool of N (CALM, arXiv 2510.27688, Algorithm 2) in the limit of
 * T = 0, where only the largest count has a weight.
 *
 * Stops as soon as no other can overtake the leader with the candidates that are left (exact: the answer is that of
 * the whole pool). Cost: N/2 candidates where all agree, N where the two best stay close.
 *
 * With an allowed error it also stops where the leader is certain enough to be the likeliest (lead-evidence.ts), each
 * position of K with an equal part of the error: what was read before has seen nothing of the later tokens, so the
 * candidates below the chosen ones are a fresh sequence, and the errors add up to the whole one at most.
 */
import { CandidateDraws, type Drawing } from './candidate-draws.js';
import { ChunkClasses } from './chunk-classes.js';
import type { ChunkDecision } from './decision.js';
import { isCertain } from './lead-evidence.js';
import { type CountedOutcomes, NextTokens, WholeChunks } from './plurality-outcomes.js';
import { type DrawOutlook, growingRounds, roundOfPlurality } from './round-size.js';
import type { TemperatureLaw } from './settings.js';
import { drawsNeeded, type OutcomeCount, standing } from './standing.js';

/** A native call has a fixed cost; a round of fewer candidates than this saves less than the call costs. */
const SMALLEST_ROUND = 8;

/** What a plurality knows of its model and its request; none of it changes the choice. */
export interface PluralityContext {
  /** What drawing is likely to cost. */
  readonly outlook?: DrawOutlook | undefined;
  /** Tokens a chunk, where candidates are decoded token by token. */
  readonly partialSize?: number | undefined;
}

/**
 * Draws up to `candidateCount` candidates (N >= 1), `smallestRound` or more at a time, and decides. `allowedError` is
 * the probability with which it may stop early at what is not the likeliest; 0 never stops for that.
 */
export function* pluralityDecision(
  candidateCount: number,
  law: TemperatureLaw = 'chunk',
  smallestRound = SMALLEST_ROUND,
  allowedError = 0,
  { outlook, partialSize }: PluralityContext = {},
): ChunkDecision {
  const settings = { candidateCount, smallestRound, allowedError, outlook };
  // Rounds are this decision's own matter.
  const unused = growingRounds();
  if (law === 'chunk') {
    const classes = new ChunkClasses(candidateCount, unused, partialSize);
    const { draws } = classes;
    const lead = yield* leader(draws, new WholeChunks(classes, allowedError > 0), settings, () => 1);
    const chunk = yield* classes.chunkOf(lead.name);
    return { chunk, draws: draws.fetched, drawsNeeded: lead.needed, fallback: false };
  }
  const draws = new CandidateDraws(candidateCount, unused, partialSize);
  let node = 0;
  let needed = 0;
  let depth = 1;
  do {
    const lead = yield* leader(draws, new NextTokens(draws, node, depth), settings, () => draws.chunkSize);
    node = lead.name;
    needed = Math.max(needed, lead.needed);
    depth += 1;
  } while (depth <= draws.chunkSize);
  return { chunk: draws.chunk(node), draws: draws.fetched, drawsNeeded: needed, fallback: false };
}

interface PluralitySettings {
  readonly candidateCount: number;
  readonly smallestRound: number;
  readonly allowedError: number;
  readonly outlook: DrawOutlook | undefined;
}

/** What leads, and after how many candidates that was clear. */
interface Lead {
  readonly name: number;
  readonly needed: number;
}

/**
 * The outcome that leads once all N candidates are drawn; draws no more of them than it needs to know. `decisions`: over
 * how many such questions the error is shared; asked once a candidate was drawn.
 */
function* leader(
  draws: CandidateDraws,
  outcomes: CountedOutcomes,
  settings: PluralitySettings,
  decisions: () => number,
): Drawing<Lead> {
  const { candidateCount, allowedError } = settings;
  for (;;) {
    const left = candidateCount - draws.fetched;
    // No lead of any outcome can be large enough yet: nothing needs to be looked at.
    const atLeast = Math.ceil((left - outcomes.mostPossible()) / 2);
    if (allowedError === 0 && atLeast > 0) {
      yield* draws.fetchMore(roundFor(atLeast, draws.fetched, settings));
      continue;
    }
    yield* outcomes.look(left);
    const counts = outcomes.counts();
    const { leader, missing } = standing(counts, left);
    if (missing === 0) return { name: leader, needed: drawsNeeded(outcomes.names(), candidateCount) };
    if (allowedError > 0 && leader >= 0 && leads(counts, leader, allowedError / decisions())) {
      return { name: leader, needed: draws.fetched };
    }
    const sizes = () => counts.map(({ count }) => count);
    // Where a certain lead ends it, the choice depends on when one looks: always at the same moments.
    const wanted =
      allowedError > 0 ? Math.min(missing, growingRounds()(draws.fetched, sizes, left)) : missing;
    yield* draws.fetchMore(roundFor(wanted, draws.fetched, settings));
  }
}

function roundFor(
  wanted: number,
  drawn: number,
  { candidateCount, smallestRound, allowedError, outlook }: PluralitySettings,
): number {
  const round = Math.max(wanted, smallestRound);
  if (outlook === undefined || allowedError > 0) return round;
  return roundOfPlurality(round, drawn, candidateCount - drawn, outlook);
}

/** Whether the leader is the likeliest of all, seen or not, but for an error that is allowed. */
function leads(counts: readonly OutcomeCount[], leader: number, allowedError: number): boolean {
  let ahead = 0;
  let behind = 0;
  let rank = 0;
  for (const [i, { name, count }] of counts.entries()) {
    if (name === leader) {
      ahead = count;
      rank = i + 1;
    } else behind = Math.max(behind, count);
  }
  return isCertain({ ahead, behind, rank }, allowedError);
}
