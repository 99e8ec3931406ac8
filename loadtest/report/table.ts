/** The tables of a report as plain cells, which every format then dresses in its own way. */
import { loadName, nameOf, number, spreadCell, type Table } from './cells.js';
import { drawnCostTable, givenCostTable } from './cost-table.js';
import type { Report } from './report.js';

/** The tables that have rows, in reading order. */
export function reportTables(report: Report): Table[] {
  const tables = [
    comparisonTable(report),
    throughputTable(report),
    latencyTable(report),
    rawTable(report),
    givenCostTable(report),
    drawnCostTable(report),
    failureTable(report),
  ];
  return tables.filter(table => table.body.length > 0);
}

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
      'draws a chunk',
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
      number(row.draws && row.draws.draws / row.draws.chunks),
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
