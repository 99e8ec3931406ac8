/** Which points a benchmark measures, and in which order. */
import type { ModelPackage } from '../../runtime/open-package.js';
import type { BenchPoint } from './engine-rate.js';

/** The axes of a benchmark, and how long each point is timed. */
export interface BenchAxes {
  readonly batch: readonly number[];
  /** Tokens in each row when the clock starts. */
  readonly context: readonly number[];
  readonly steps: number;
  readonly temperature: readonly number[];
  readonly numCandidates: readonly number[];
}

/** A point of one package. */
export interface PackagePoint {
  readonly source: ModelPackage;
  readonly point: BenchPoint;
}

/** Every package at every point, the packages of a point one after the other, so that a noisy machine hurts all. */
export function pointsOf(
  sources: readonly ModelPackage[],
  { batch: batches, context: contexts, steps, temperature: temperatures, numCandidates }: BenchAxes,
): PackagePoint[] {
  // A token model draws one token a step whatever the number of candidates, and at T = 1 so does a CALM.
  const countsOf = (source: ModelPackage, temperature: number): readonly number[] =>
    source.manifest.kind === 'calm' && temperature !== 1 ? numCandidates : [1];
  return contexts.flatMap(contextTokens =>
    batches.flatMap(batch =>
      temperatures.flatMap(temperature =>
        sources.flatMap(source =>
          countsOf(source, temperature).map(count => ({
            source,
            point: { batch, contextTokens, steps, temperature, numCandidates: count },
          })),
        ),
      ),
    ),
  );
}
