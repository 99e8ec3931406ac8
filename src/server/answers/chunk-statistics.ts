/** The `chunk_statistics` of an answer: what there is to know of a CALM's probabilities, instead of logprobs. */
import type { TokenStatistics } from '../../sampler/token-statistics.js';
import type { ChoiceDelta } from '../generation/completion-run.js';
import type { Generation } from '../generation/generation.js';

/** One chunk of a choice, in the order of generation. */
export interface ChunkStatistics {
  /** Candidates that the decision looked at. */
  readonly draws: number;
  /** True where the temperature's law was not reached within `num_candidates`. */
  readonly fallback: boolean;
  /** One entry for each token of the chunk, counted on `num_candidates` fresh candidates. */
  readonly tokens: readonly TokenStatistics[];
}

/** The field of a choice whose chunks carry statistics; none where the request asked for none (`best_of` needs them too). */
export function statisticsFields(
  parts: readonly Pick<ChoiceDelta, 'chunk'>[],
  { chunkStatistics }: Pick<Generation, 'chunkStatistics'>,
): {
  readonly chunk_statistics?: readonly ChunkStatistics[];
} {
  if (!chunkStatistics) return {};
  const chunks = parts.flatMap(({ chunk }) => {
    if (!chunk?.statistics) return [];
    return [{ draws: chunk.draws, fallback: chunk.fallback, tokens: chunk.statistics }];
  });
  return chunks.length > 0 ? { chunk_statistics: chunks } : {};
}
