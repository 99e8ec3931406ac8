/** The words in which a sampler and a model talk: candidates go in, a chosen chunk comes out. */

import type { DrawOutlook } from './round-size.js';
import type { TemperatureLaw, TokenHistory } from './settings.js';
import type { TokenLogprobs } from './token-sampling/token-logprobs.js';
import type { TokenStatistics } from './token-statistics.js';

/** K token ids, K being the model's chunk size. */
export type Chunk = readonly number[];

/** A finished decision. */
export interface ChunkChoice {
  readonly chunk: Chunk;
  /** Candidates that were drawn for it. */
  readonly draws: number;
  /** How many of them decided, where the last round may have brought more. */
  readonly drawsNeeded?: number;
  /** Tokens of candidates that were decoded for it: all of each, unless it looked at parts. */
  readonly decodedPositions?: number;
  /** True where the allowed draws did not reach the sampler's law (docs/sampling.md), and counts of candidates decided. */
  readonly fallback: boolean;
  /** For each token, where the settings ask for them. Their candidates are not counted among `draws`. */
  readonly statistics?: readonly TokenStatistics[];
  /** For each token, where the settings ask for them; token models only. */
  readonly logprobs?: readonly TokenLogprobs[];
}

/** The token at one position (from 0) of so many more candidates (at least 1). */
export interface FreshWish {
  readonly kind: 'fresh';
  readonly count: number;
  readonly position: number;
}

/** One token of a candidate that was handed over before; both are counted from 0. */
export interface CandidateToken {
  readonly candidate: number;
  readonly position: number;
}

/** Tokens of candidates that were handed over before, of which other tokens are known. */
export interface TokensWish {
  readonly kind: 'tokens';
  readonly tokens: readonly CandidateToken[];
  /** How many further tokens of each of these candidates may be asked for after these. */
  readonly remaining: number;
}

/**
 * What a decision asks for: a number for so many more whole candidates (at least 1), or tokens of candidates, which are
 * asked for only of a model that can give them (`DecisionContext.chunkSize`).
 */
export type Wish = number | FreshWish | TokensWish;

/**
 * A decision in progress, as a coroutine. It yields a wish, is resumed with exactly the candidates that it asked for
 * (independent draws from the model's law) or their tokens, each an array of one token, and returns
 * its choice. Candidates are numbered from 0 in the order in which they are handed over; the number is part of the key
 * of their noise, so a decision does not depend on how its wishes are grouped into native calls.
 */
export type ChunkDecision = Generator<Wish, ChunkChoice, readonly Chunk[]>;

/** What a decision knows of its request besides the settings. */
export interface DecisionContext {
  /** What token controls look at; nothing was said where it is left out. */
  readonly history?: TokenHistory;
  /** Tokens that the chunk begins with, fewer than it has; they are not chosen any more. */
  readonly given?: readonly number[];
  /** Tokens a chunk, where the model can decode a candidate token by token; left out where it gives whole ones only. */
  readonly chunkSize?: number;
  /** Under which temperature laws decoding token by token pays; under all where it is left out. */
  readonly partialLaws?: readonly TemperatureLaw[];
  /** What drawing is likely to cost; left out where nobody knows. */
  readonly outlook?: DrawOutlook;
}

/** Tokens a chunk where a decision by this law decodes candidates token by token, else undefined. */
export function partialSizeOf(
  { chunkSize, partialLaws }: DecisionContext,
  law: TemperatureLaw,
): number | undefined {
  return partialLaws === undefined || partialLaws.includes(law) ? chunkSize : undefined;
}
