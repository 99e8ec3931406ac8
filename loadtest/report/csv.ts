/** A report's rows as CSV (RFC 4180), one line for each target and load, for spreadsheets and notebooks. */
import type { Percentiles } from '../measure/statistics.js';
import type { Row } from '../measure/summary.js';
import type { Report } from './report.js';

type Column = readonly [name: string, value: (row: Row, report: Report) => string | number | null];

const latencies = [
  ['ttft_ms', 'ttftMs'],
  ['inter_chunk_ms', 'interChunkMs'],
  ['per_token_ms', 'perTokenMs'],
  ['e2e_ms', 'e2eMs'],
] as const;
const shares = ['p50', 'p90', 'p95', 'p99'] as const satisfies readonly (keyof Percentiles)[];

const columns: readonly Column[] = [
  ['target', (row, report) => report.targets[row.target]?.target.name ?? null],
  ['model', (row, report) => report.targets[row.target]?.model ?? null],
  ['mode', row => row.load.kind],
  ['concurrency', row => (row.load.kind === 'closed' ? row.load.concurrency : null)],
  ['rate_per_second', row => (row.load.kind === 'open' ? row.load.ratePerSecond : null)],
  ['temperature', row => row.temperature],
  ['repetitions', row => row.repetitions],
  ['requests', row => row.requests],
  ['failed', row => row.failed],
  ['tokens_per_second', row => row.tokensPerSecond.median],
  ['tokens_per_second_least', row => row.tokensPerSecond.least],
  ['tokens_per_second_most', row => row.tokensPerSecond.most],
  ['requests_per_second', row => row.requestsPerSecond.median],
  ...latencies.flatMap(([name, key]) =>
    shares.map((share): Column => [`${name}_${share}`, row => row[key][share]]),
  ),
  ['prompt_tokens_mean', row => row.promptTokens],
  ['output_tokens_mean', row => row.outputTokens],
  ['tokens_per_chunk', row => row.tokensPerChunk],
  ['goodput_requests_per_second', row => row.goodput?.requestsPerSecond ?? null],
  ['client_cores', row => row.clientCores],
  ['server_cores', row => row.serverCores],
];

export function reportCsv(report: Report): string {
  const lines = [
    columns.map(([name]) => name),
    ...report.rows.map(row => columns.map(([, value]) => cell(value(row, report)))),
  ];
  return `${lines.map(line => line.join(',')).join('\r\n')}\r\n`;
}

function cell(value: string | number | null): string {
  if (value === null) return '';
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
