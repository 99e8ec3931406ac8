/** A report as one JSON object. Keys are the contract of `npm run loadtest -- --json`; units stand in their names. */
import { generationCosts } from '../measure/cost.js';
import type { Percentiles, Spread } from '../measure/statistics.js';
import type { RawRow, Row } from '../measure/summary.js';
import { nameOf } from './cells.js';
import { totalFlops } from './cost-table.js';
import { isClean, type Report } from './report.js';

export function reportJson(report: Report): string {
  const modelOf = (target: number): string | null => report.targets[target]?.model ?? null;
  const { settings } = report;
  return JSON.stringify({
    ok: isClean(report),
    command: report.command,
    started: report.started,
    duration_seconds: report.durationSeconds,
    machine: {
      cpu: report.machine.cpu,
      cores: report.machine.cores,
      memory_gib: report.machine.memoryGib,
      system: report.machine.system,
      node: report.machine.node,
      version: report.machine.version,
      load_before: report.machine.loadBefore,
    },
    settings: {
      repetitions: settings.repetitions,
      warmup_requests: settings.warmupRequests,
      prompts: settings.prompts,
      input_tokens: settings.inputTokens,
      output_tokens: settings.outputTokens,
      ignore_eos: settings.ignoreEos,
      seed: settings.seed,
      timeout_ms: settings.timeoutMs,
      goodput_bounds_ms: settings.goodput && {
        ttft: settings.goodput.ttftMs,
        per_token: settings.goodput.perTokenMs,
        e2e: settings.goodput.e2eMs,
      },
    },
    targets: report.targets.map(targetJson),
    rows: report.rows.map(row => ({
      target: nameOf(report, row.target),
      model: modelOf(row.target),
      ...rowJson(row),
    })),
    raw: report.rawRows.map(row => ({
      target: nameOf(report, row.target),
      model: modelOf(row.target),
      ...rawJson(row),
    })),
    costs: generationCosts(report.targets, report.rows).map(cost => ({
      target: nameOf(report, cost.target),
      model: modelOf(cost.target),
      temperature: cost.temperature,
      draws_per_chunk: cost.drawsPerChunk,
      flops_per_token: totalFlops(cost.flopsPerToken),
      flops_per_token_parts: cost.flopsPerToken,
    })),
    comparisons: report.comparisons.map(({ target, baseline, load, temperature, ratio }) => ({
      target: nameOf(report, target),
      baseline: nameOf(report, baseline),
      ...loadJson(load),
      temperature,
      tokens_per_second_ratio: ratio.median,
      tokens_per_second_ratio_range: [ratio.least, ratio.most],
    })),
    warnings: report.warnings,
  });
}

function targetJson(result: Report['targets'][number]) {
  const { target, model, kind, chunkSize, serverVersion, samplingExtensions, problem, quality } = result;
  return {
    target: target.name,
    url: target.baseUrl,
    model,
    kind,
    chunk_size: chunkSize,
    server_version: serverVersion,
    sampling: samplingExtensions && { top_p: 1, ...samplingExtensions },
    problem,
    brierlm: quality.brierLm,
    brierlm_stderr: quality.brierLmError,
    flops_per_token: quality.flopsPerToken,
  };
}

function loadJson(load: Row['load']) {
  return {
    mode: load.kind,
    concurrency: load.kind === 'closed' ? load.concurrency : null,
    rate_per_second: load.kind === 'open' ? load.ratePerSecond : null,
  };
}

function rowJson(row: Row) {
  return {
    ...loadJson(row.load),
    temperature: row.temperature,
    repetitions: row.repetitions,
    requests: row.requests,
    failed: row.failed,
    failures: row.failures,
    ...spreadJson('tokens_per_second', row.tokensPerSecond),
    tokens_per_second_runs: row.tokensPerSecondRuns,
    ...spreadJson('requests_per_second', row.requestsPerSecond),
    ttft_ms: percentilesJson(row.ttftMs),
    inter_chunk_ms: percentilesJson(row.interChunkMs),
    per_token_ms: percentilesJson(row.perTokenMs),
    e2e_ms: percentilesJson(row.e2eMs),
    client_lag_ms: percentilesJson(row.lagMs),
    prompt_tokens_mean: row.promptTokens,
    output_tokens_mean: row.outputTokens,
    tokens_per_chunk: row.tokensPerChunk,
    draws_per_chunk: row.draws && row.draws.draws / row.draws.chunks,
    goodput_requests_per_second: row.goodput?.requestsPerSecond ?? null,
    goodput_share: row.goodput?.share ?? null,
    client_cores: row.clientCores,
    server_cores: row.serverCores,
  };
}

function rawJson(row: RawRow) {
  return {
    connections: row.connections,
    temperature: row.temperature,
    requests: row.requests,
    failed: row.failed,
    failures: row.failures,
    ...spreadJson('requests_per_second', row.requestsPerSecond),
    ...spreadJson('tokens_per_second', row.tokensPerSecond),
    latency_ms: { p50: row.latencyP50Ms, p99: row.latencyP99Ms },
    client_cores: row.clientCores,
    server_cores: row.serverCores,
  };
}

function spreadJson(name: string, { median, least, most }: Spread): Record<string, number | number[]> {
  return { [name]: median, [`${name}_range`]: [least, most] };
}

function percentilesJson({ p50, p90, p95, p99, mean, max }: Percentiles) {
  return { p50, p90, p95, p99, mean, max };
}
