/** A benchmark's figures as JSON for tools and as a table for people. */
import { type Comparison, compareModels } from './compare-models.js';
import { profileText } from './profile.js';
import type { BenchReport, BenchRow } from './run-bench.js';

/** One JSON object: a run for each model and number of threads, and their ratios. */
export function benchJson(reports: readonly BenchReport[]): string {
  return JSON.stringify({
    runs: reports.map(runJson),
    comparisons: compareModels(reports).map(comparison => ({
      model: comparison.model,
      baseline: comparison.baseline,
      threads: comparison.threads,
      context_tokens: comparison.contextTokens,
      batch: comparison.batch,
      temperature: comparison.temperature,
      num_candidates: comparison.numCandidates,
      tokens_per_second_ratio: comparison.ratio,
      roofline_ratio: comparison.rooflineRatio,
    })),
  });
}

function runJson(report: BenchReport) {
  return {
    model: report.model,
    weight_type: report.weightType,
    threads: report.threads,
    step_weight_bytes: report.stepWeightBytes,
    read_bandwidth_bytes_per_second: report.rates.readBytesPerSecond,
    product_flops_per_second: report.rates.productFlopsPerSecond,
    attention_flops_per_second: report.rates.attentionFlopsPerSecond,
    profiles: report.profiles.map(({ batch, contextTokens, runMs, operators }) => ({
      batch,
      context_tokens: contextTokens,
      run_ms: runMs,
      operators,
    })),
    rows: report.rows.map(row => ({
      batch: row.batch,
      context_tokens: row.contextTokens,
      temperature: row.temperature,
      num_candidates: row.numCandidates,
      tokens_per_second: row.tokensPerSecond,
      step_ms: row.stepMs,
      parts_ms: {
        backbone: row.graphs?.backboneMs ?? null,
        head: row.graphs?.headMs ?? null,
        decoder: row.graphs?.decoderMs ?? null,
        fused: row.fusedMs,
        draw: row.drawMs,
        other: row.otherMs,
      },
      raw_fused_ms: row.graphs?.fusedMs ?? null,
      draws_per_step: row.drawsPerStep,
      weight_bytes_per_second: row.weightBytesPerSecond,
      step_weight_bytes: row.roofline.weightBytes,
      step_cache_bytes: row.roofline.cacheBytes,
      step_flops: row.roofline.flops,
      flops_per_token: row.roofline.flopsPerToken,
      roofline_ms: row.roofline.ms,
      roofline_bound: row.roofline.bound,
      roofline_share: row.roofline.ms / row.stepMs,
    })),
  };
}

/** Three digits: models differ by factors of a thousand. */
function inBillions(flops: number | null): string {
  return flops === null ? '?' : String(Number((flops / 1e9).toPrecision(3)));
}

type Column = readonly [title: string, cell: (row: BenchRow) => string];

/** A table for each model and number of threads, with one line a point, then how the models compare. */
export function benchText(reports: readonly BenchReport[]): string {
  const comparisons = compareModels(reports);
  const compared = comparisons.length > 0 ? [comparisonText(comparisons)] : [];
  return [...reports.map(runText), ...compared].join('\n\n');
}

function comparisonText(comparisons: readonly Comparison[]): string {
  const lines = comparisons.map(
    ({ model, baseline, threads, contextTokens, batch, temperature, numCandidates, ratio, rooflineRatio }) =>
      `  ${model} over ${baseline}, ${threads} threads, context ${contextTokens}, batch ${batch}, ` +
      `T ${temperature}, N ${numCandidates}: ${ratio.toFixed(2)} (rooflines ${rooflineRatio.toFixed(2)})`,
  );
  return ['tokens/s of models over those of the last one:', ...lines].join('\n');
}

function runText(report: BenchReport): string {
  const { rates } = report;
  const bandwidth = rates.readBytesPerSecond;
  const columns: readonly Column[] = [
    ['context', row => String(row.contextTokens)],
    ['batch', row => String(row.batch)],
    ['T', row => String(row.temperature)],
    ['N', row => String(row.numCandidates)],
    ['tokens/s', row => row.tokensPerSecond.toFixed(0)],
    ['step ms', row => row.stepMs.toFixed(2)],
    ['fused', row => row.fusedMs.toFixed(2)],
    ['draw', row => row.drawMs.toFixed(2)],
    ['other', row => row.otherMs.toFixed(2)],
    ['other %', row => ((100 * row.otherMs) / row.stepMs).toFixed(1)],
    ['draws', row => row.drawsPerStep.toFixed(1)],
    ['| bare: fused', row => row.graphs?.fusedMs.toFixed(2) ?? '-'],
    ['backbone', row => row.graphs?.backboneMs.toFixed(2) ?? '-'],
    ['head', row => row.graphs?.headMs.toFixed(2) ?? '-'],
    ['decoder', row => row.graphs?.decoderMs.toFixed(2) ?? '-'],
    ['| weights GB/s', row => (row.weightBytesPerSecond / 1e9).toFixed(1)],
    ['of read %', row => ((100 * row.weightBytesPerSecond) / bandwidth).toFixed(0)],
    ['cache MB', row => (row.roofline.cacheBytes / 1e6).toFixed(1)],
    ['GFLOP', row => inBillions(row.roofline.flops)],
    ['GFLOP/token', row => inBillions(row.roofline.flopsPerToken)],
    ['roofline ms', row => `${row.roofline.ms.toFixed(2)} (${row.roofline.bound})`],
    ['of it %', row => ((100 * row.roofline.ms) / row.stepMs).toFixed(0)],
  ];
  const lines = [
    columns.map(([title]) => title),
    ...report.rows.map(row => columns.map(([, cell]) => cell(row))),
  ];
  const widths = columns.map((_, index) => Math.max(...lines.map(line => line[index]?.length ?? 0)));
  const table = lines.map(line => line.map((cell, index) => cell.padStart(widths[index] ?? 0)).join('  '));
  const megabytes = (report.stepWeightBytes / 1e6).toFixed(1);
  const head =
    `${report.model}: ${report.weightType}, ${report.threads} threads, ${megabytes} MB of weights a step, ` +
    `this machine reads ${(bandwidth / 1e9).toFixed(1)} GB/s and computes ` +
    `${(rates.productFlopsPerSecond / 1e9).toFixed(0)} GFLOP/s in products, ` +
    `${(rates.attentionFlopsPerSecond / 1e9).toFixed(0)} in float32`;
  return [head, ...table, ...report.profiles.map(profileText)].join('\n');
}
