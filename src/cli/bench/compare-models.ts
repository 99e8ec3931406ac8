/** How models compare that one benchmark measured: each over the last one, at the same point. */
import type { BenchReport, BenchRow } from './run-bench.js';

/** One point of a model over the same point of the baseline. */
export interface Comparison {
  readonly model: string;
  readonly baseline: string;
  readonly threads: number;
  /** Tokens in each row when the clock started. */
  readonly contextTokens: number;
  readonly batch: number;
  readonly temperature: number;
  readonly numCandidates: number;
  /** Of tokens/s. */
  readonly ratio: number;
  /** The same if both ran at their rooflines. */
  readonly rooflineRatio: number;
}

/** Empty where there is one model. Points that the baseline lacks are left out. */
export function compareModels(reports: readonly BenchReport[]): Comparison[] {
  return [...new Set(reports.map(({ threads }) => threads))].flatMap(threads => {
    const together = reports.filter(report => report.threads === threads);
    const baseline = together.at(-1) as BenchReport;
    return together
      .slice(0, -1)
      .flatMap(report => report.rows.flatMap(row => compareRow(report, row, baseline)));
  });
}

function compareRow(report: BenchReport, row: BenchRow, baseline: BenchReport): Comparison[] {
  const { contextTokens, batch, temperature, numCandidates } = row;
  const others = baseline.rows.filter(
    other =>
      other.contextTokens === contextTokens && other.batch === batch && other.temperature === temperature,
  );
  // A token model has one row whatever the number of candidates.
  const other = others.find(candidate => candidate.numCandidates === numCandidates) ?? others[0];
  if (other === undefined) return [];
  return [
    {
      model: labelOf(report, baseline),
      baseline: labelOf(baseline, report),
      threads: report.threads,
      contextTokens,
      batch,
      temperature,
      numCandidates,
      ratio: row.tokensPerSecond / other.tokensPerSecond,
      rooflineRatio: rooflineTokensPerSecond(row) / rooflineTokensPerSecond(other),
    },
  ];
}

/** Packages of one model may differ in their weights alone. */
function labelOf({ model, weightType }: BenchReport, other: BenchReport): string {
  return model === other.model ? `${model} (${weightType})` : model;
}

function rooflineTokensPerSecond({ tokensPerSecond, stepMs, roofline }: BenchRow): number {
  return (tokensPerSecond * stepMs) / roofline.ms;
}
