/** One step's chunk, as the stream tells of it. */

/** @import { CompletionEvent, Timings, TokenStatistics } from './api.js' */

/**
 * @typedef {{
 *   text: string, tokenIds: number[], draws: number, isFallback: boolean,
 *   statistics: TokenStatistics[] | null, isLast: boolean,
 * }} Chunk
 */

/**
 * @param {CompletionEvent} event
 * @param {Timings | null} before the timings of the event before this one
 * @returns {Chunk | null} null where the event stands for no step
 */
export function readChunk(event, before) {
  const [choice] = event.choices;
  const { timings } = event;
  if (!choice || !timings || timings.chunks === (before?.chunks ?? 0)) return null;
  return {
    text: choice.text,
    tokenIds: choice.token_ids ?? [],
    draws: timings.draws - (before?.draws ?? 0),
    isFallback: timings.fallbacks > (before?.fallbacks ?? 0),
    statistics: choice.chunk_statistics?.[0]?.tokens ?? null,
    isLast: choice.finish_reason !== null,
  };
}

/**
 * The share of fresh candidates that were this very chunk: the product of its tokens' shares.
 *
 * @param {Chunk} chunk
 * @returns {{ count: number, of: number, probability: number } | null} null where nothing was counted
 */
export function chunkProbability({ statistics }) {
  const first = statistics?.[0];
  const last = statistics?.at(-1);
  if (!first || !last || first.of === 0) return null;
  return { count: last.count, of: first.of, probability: last.count / first.of };
}

/** Lower bounds of the tints, from likely to unlikely. */
export const tintBounds = [0.5, 0.2, 0.05, 0.01, 0];

/**
 * @param {Chunk} chunk
 * @param {number} index
 * @returns {string} the class of its tint: by probability where that is known, else in turns
 */
export function tintOf(chunk, index) {
  const counted = chunkProbability(chunk);
  if (!counted) return index % 2 === 0 ? 'even' : 'odd';
  return `p${tintBounds.findIndex(bound => counted.probability >= bound)}`;
}

/**
 * @param {number} probability
 * @returns {string} with two digits that count
 */
export function showProbability(probability) {
  if (probability === 0 || probability === 1) return String(probability);
  return probability >= 0.1 ? probability.toFixed(2) : probability.toPrecision(1);
}

/**
 * @param {string} text
 * @returns {string} with spaces and line breaks that can be seen
 */
export function showSpaces(text) {
  return text.replaceAll(' ', '·').replaceAll('\n', '↵');
}

/**
 * @param {Chunk} chunk
 * @returns {string[]} what it took, and how probable it was where that was counted
 */
export function chunkFacts(chunk) {
  const counted = chunkProbability(chunk);
  return [
    `${chunk.draws} ${chunk.draws === 1 ? 'draw' : 'draws'}`,
    ...(chunk.isFallback ? ['a weaker law was taken'] : []),
    ...(counted ? [`probability ${showProbability(counted.probability)}`] : []),
  ];
}

/**
 * @param {Chunk} chunk
 * @param {number} index
 * @param {number} total
 * @returns {string} a sentence for those who hear the page
 */
export function describeChunk(chunk, index, total) {
  const text = chunk.text.trim() || 'no text';
  return [`Chunk ${index + 1} of ${total}: ${text}`, ...chunkFacts(chunk)].join(', ');
}
