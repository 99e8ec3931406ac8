/** FLOPs of generated tokens at the candidates that a run drew: below T = 1 a CALM draws many for a chunk. */
import type { Quality } from './quality.js';
import { type Row, sumDraws } from './summary.js';

/** What a generated token costs one target. */
export interface GenerationCost {
  /** Number of the target. */
  readonly target: number;
  /** Null where nothing is known of the draws: the cost is then that of one candidate, whatever the temperature. */
  readonly temperature: number | null;
  readonly drawsPerChunk: number | null;
  /** By part. */
  readonly flopsPerToken: Readonly<Record<string, number>>;
}

/** Parts that work on every candidate. What is given of them is the cost of one. */
const partsPerCandidate: readonly string[] = ['head', 'decoder'];

/**
 * One cost for each target and temperature that was measured; none for targets whose FLOPs nobody gave. Head and decoder
 * are counted whole for each draw, which is the most that they can cost: what a head does once for all candidates, and
 * what a decoder leaves out of candidates that were refused early, is not taken off.
 */
export function generationCosts(
  targets: readonly { readonly quality: Quality }[],
  rows: readonly Row[],
): GenerationCost[] {
  return targets.flatMap(({ quality: { flopsPerToken } }, target): GenerationCost[] => {
    const parts = Object.keys(flopsPerToken);
    if (parts.length === 0) return [];
    const measured = parts.some(part => partsPerCandidate.includes(part))
      ? drawsByTemperature(target, rows)
      : [];
    if (measured.length === 0) return [{ target, temperature: null, drawsPerChunk: null, flopsPerToken }];
    return measured.map(({ temperature, drawsPerChunk }) => ({
      target,
      temperature,
      drawsPerChunk,
      flopsPerToken: timesDraws(flopsPerToken, drawsPerChunk),
    }));
  });
}

function drawsByTemperature(target: number, rows: readonly Row[]) {
  const own = rows.filter(row => row.target === target);
  return [...new Set(own.map(row => row.temperature))].flatMap(temperature => {
    const counts = own.filter(row => row.temperature === temperature).flatMap(row => row.draws ?? []);
    const total = sumDraws(counts);
    return total ? [{ temperature, drawsPerChunk: total.draws / total.chunks }] : [];
  });
}

function timesDraws(flopsPerToken: Quality['flopsPerToken'], draws: number): Record<string, number> {
  return Object.fromEntries(
    Object.entries(flopsPerToken).map(([part, flops]) => [
      part,
      partsPerCandidate.includes(part) ? flops * draws : flops,
    ]),
  );
}
