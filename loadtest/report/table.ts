/** The tables of a report as plain cells, which every format then dresses in its own way. */
import type { Load } from '../load/plan.js';
import type { Spread } from '../measure/statistics.js';
import type { Report } from './report.js';

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly body: readonly (readonly string[])[];
  /** Columns from this one on hold numbers. */
  readonly firstNumber: number;
}

/** The load as a cell. */
export function loadName(load: Load): string {
  if (load.kind === 'closed') return `${load.concurrency} at a time`;
  if (load.kind === 'open') return `${number(load.ratePerSecond)} /s`;
  return `${load.connections} connections`;
}

/** A figure with three digits that count; a dash for none. */
export function number(value: number | null): string {
  if (value === null) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 100) return value.toFixed(0);
  return size >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Median with its range. */
export function spreadCell({ median, least, most }: Spread): string {
  return least === most ? number(median) : `${number(median)} (${number(least)}–${number(most)})`;
}

/** The tables that have rows, in reading order. */
export function reportTables(report: Report): Table[] {
  const tables = [
    comparisonTable(report),
    throughputTable(report),
    latencyTable(report),
    rawTable(report),
    costTable(report),
    failureTable(report),
  ];
  return tables.filter(table => table.body.length > 0);
}

const nameOf = (report: Report, target: number): string => report.targets[target]?.target.name ?? '?';

function comparisonTable(report: Report): Table {
  return {
    title: 'Tokens/s over the baseline, same load, same run',
    head: ['target', 'baseline', 'load', 'T', 'times as fast'],
    firstNumber: 3,
    body: report.comparisons.map(({ target, baseline, load, temperature, ratio }) => [
      nameOf(report, target),
      nameOf(report, baseline),
      loadName(load),
      String(temperature),
      spreadCell(ratio),
    ]),
  };
}

function throughputTable(report: Report): Table {
  return {
    title: 'Throughput',
    head: [
      'target',
      'load',
      'T',
      'requests',
      'failed',
      'tokens/s',
      'requests/s',
      'tokens a chunk',
      'within bound',
      'client cores',
      'server cores',
    ],
    firstNumber: 2,
    body: report.rows.map(row => [
      nameOf(report, row.target),
      loadName(row.load),
      String(row.temperature),
      String(row.requests),
      String(row.failed),
      spreadCell(row.tokensPerSecond),
      number(row.requestsPerSecond.median),
      number(row.tokensPerChunk),
      row.goodput
        ? `${(100 * row.goodput.share).toFixed(0)} %, ${number(row.goodput.requestsPerSecond)} /s`
        : '–',
      number(row.clientCores),
      number(row.serverCores),
    ]),
  };
}

function latencyTable(report: Report): Table {
  const metrics = [
    ['first token', 'ttftMs'],
    ['chunk to chunk', 'interChunkMs'],
    ['per token', 'perTokenMs'],
    ['end to end', 'e2eMs'],
  ] as const;
  return {
    title: 'Latency in milliseconds: p50 / p95 / p99',
    head: ['target', 'load', 'T', ...metrics.map(([title]) => title)],
    firstNumber: 2,
    body: report.rows.map(row => [
      nameOf(report, row.target),
      loadName(row.load),
      String(row.temperature),
      ...metrics.map(
        ([, key]) => `${number(row[key].p50)} / ${number(row[key].p95)} / ${number(row[key].p99)}`,
      ),
    ]),
  };
}

function rawTable(report: Report): Table {
  return {
    title: `Short answers, not streamed: ${report.settings.rawOutputTokens} tokens each`,
    head: [
      'target',
      'load',
      'T',
      'requests',
      'failed',
      'requests/s',
      'p50 ms',
      'p99 ms',
      'client cores',
      'server cores',
    ],
    firstNumber: 2,
    body: report.rawRows.map(row => [
      nameOf(report, row.target),
      loadName({ kind: 'raw', connections: row.connections }),
      String(row.temperature),
      String(row.requests),
      String(row.failed),
      spreadCell(row.requestsPerSecond),
      number(row.latencyP50Ms),
      number(row.latencyP99Ms),
      number(row.clientCores),
      number(row.serverCores),
    ]),
  };
}

function costTable({ targets }: Report): Table {
  const known = targets.filter(
    ({ quality }) => quality.brierLm !== null || Object.keys(quality.flopsPerToken).length > 0,
  );
  return {
    title: 'Quality and cost, as given',
    head: ['target', 'model', 'BrierLM', 'MFLOPs per token', 'by part'],
    firstNumber: 2,
    body: known.map(({ target, model, quality }) => {
      const parts = Object.entries(quality.flopsPerToken);
      const total = parts.reduce((sum, [, flops]) => sum + flops, 0);
      const error = quality.brierLmError === null ? '' : ` ± ${number(quality.brierLmError)}`;
      return [
        target.name,
        model ?? '?',
        quality.brierLm === null ? '–' : `${number(quality.brierLm)}${error}`,
        parts.length === 0 ? '–' : number(total / 1e6),
        parts.length < 2 ? '–' : parts.map(([name, flops]) => `${name} ${number(flops / 1e6)}`).join(', '),
      ];
    }),
  };
}

function failureTable(report: Report): Table {
  return {
    title: 'Failed requests',
    head: ['target', 'load', 'T', 'what', 'count', 'first one'],
    firstNumber: 6,
    body: [...report.rows, ...report.rawRows].flatMap(row =>
      row.failures.map(({ code, count, example }) => [
        nameOf(report, row.target),
        loadName('load' in row ? row.load : { kind: 'raw', connections: row.connections }),
        String(row.temperature),
        code,
        String(count),
        example,
      ]),
    ),
  };
}
