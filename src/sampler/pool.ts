/**
 * A pool of N candidates whose counts decide (pool-weights.ts): the law of temperatures above 1, and of `sampler`
 * "pool" where lazy-pool.ts does not serve it: for temperatures that are no 1/n, and token by token.
 *
 * A finite-pool approximation: right in the limit N -> infinity. Cost: N candidates always. A choice is a fallback
 * where the most frequent outcome appears fewer than 1/T times: then none was seen as often as the power asks for.
 * Above T = 1 that cannot be.
 */
import { CandidateDraws, type Drawing } from './candidate-draws.js';
import { ChunkClasses } from './chunk-classes.js';
import type { Chunk, ChunkChoice, ChunkDecision } from './decision.js';
import { chooseByCounts } from './on-limit.js';
import { growingRounds } from './round-size.js';
import type { TemperatureLaw } from './settings.js';
import { chooseChild } from './token-law.js';
import type { RandomStream } from './uniform.js';

/**
 * Draws `poolSize` candidates (N >= 1) and decides: among whole chunks, or token by token along their tree. `partialSize`:
 * tokens a chunk, where candidates are decoded token by token.
 */
export function* poolDecision(
  poolSize: number,
  temperature: number,
  law: TemperatureLaw,
  random: RandomStream,
  partialSize?: number,
): ChunkDecision {
  const decide = law === 'chunk' ? amongChunks : tokenByToken;
  const { chunk, fallback } = yield* decide(poolSize, temperature, random, partialSize);
  return { chunk, draws: poolSize, fallback };
}

type Decided = Pick<ChunkChoice, 'fallback'> & { readonly chunk: Chunk };

function* amongChunks(
  poolSize: number,
  temperature: number,
  random: RandomStream,
  partialSize?: number,
): Drawing<Decided> {
  const classes = new ChunkClasses(poolSize, growingRounds(), partialSize);
  yield* classes.draws.fetchAll();
  yield* classes.tellApart(2, Math.floor(random.peek() * poolSize));
  const all = classes.all();
  const counts = all.map(({ count }) => count);
  const chosen = all[chooseByCounts(temperature)(counts, random)]!;
  const chunk = yield* classes.chunkOf(chosen.first);
  return { chunk, fallback: isWeak(counts, temperature) };
}

function* tokenByToken(
  poolSize: number,
  temperature: number,
  random: RandomStream,
  partialSize?: number,
): Drawing<Decided> {
  const draws = new CandidateDraws(poolSize, growingRounds(), partialSize);
  yield* draws.fetchAll();
  const { tree } = draws;
  let node = 0;
  let fallback = false;
  for (let depth = 1; depth <= draws.chunkSize; depth += 1) {
    yield* draws.lookAtAll(node, depth);
    const counts = tree.children(node).map(child => tree.count(child));
    fallback ||= isWeak(counts, temperature);
    node = chooseChild(tree, node, chooseByCounts(temperature), random);
  }
  return { chunk: draws.chunk(node), fallback };
}

/** Whether no outcome appears as often as the power asks for. */
function isWeak(counts: readonly number[], temperature: number): boolean {
  return counts.reduce((largest, count) => Math.max(largest, count), 0) < 1 / temperature;
}
