/** A report's rows as CSV (RFC 4180), one line for each target and load, for spreadsheets and notebooks. */
import type { FailureCount } from '../measure/records.js';
import type { Percentiles } from '../measure/statistics.js';
import type { RawRow, Row } from '../measure/summary.js';
import type { Report } from './report.js';

type Value = string | number | null;

/** A column; lines of a kind that has no such figure are empty there. */
interface Column {
  readonly name: string;
  readonly streamed?: (row: Row, report: Report) => Value;
  readonly raw?: (row: RawRow, report: Report) => Value;
}

const latencies = [
  ['ttft_ms', 'ttftMs'],
  ['inter_chunk_ms', 'interChunkMs'],
  ['per_token_ms', 'perTokenMs'],
  ['e2e_ms', 'e2eMs'],
] as const;
const shares = ['p50', 'p90', 'p95', 'p99'] as const satisfies readonly (keyof Percentiles)[];

/** A column of both kinds of lines. */
function both(name: string, value: (row: Row | RawRow, report: Report) => Value): Column {
  return { name, streamed: value, raw: value };
}

// New columns go to the end: scripts may count them.
const columns: readonly Column[] = [
  both('target', (row, report) => report.targets[row.target]?.target.name ?? null),
  both('model', (row, report) => report.targets[row.target]?.model ?? null),
  { name: 'mode', streamed: row => row.load.kind, raw: () => 'raw' },
  { name: 'concurrency', streamed: ({ load }) => (load.kind === 'closed' ? load.concurrency : null) },
  { name: 'rate_per_second', streamed: ({ load }) => (load.kind === 'open' ? load.ratePerSecond : null) },
  both('temperature', row => row.temperature),
  { name: 'repetitions', streamed: row => row.repetitions },
  both('requests', row => row.requests),
  both('failed', row => row.failed),
  both('tokens_per_second', row => row.tokensPerSecond.median),
  both('tokens_per_second_least', row => row.tokensPerSecond.least),
  both('tokens_per_second_most', row => row.tokensPerSecond.most),
  both('requests_per_second', row => row.requestsPerSecond.median),
  ...latencies.flatMap(([name, key]) =>
    shares.map((share): Column => ({ name: `${name}_${share}`, streamed: row => row[key][share] })),
  ),
  { name: 'prompt_tokens_mean', streamed: row => row.promptTokens },
  { name: 'output_tokens_mean', streamed: row => row.outputTokens },
  { name: 'tokens_per_chunk', streamed: row => row.tokensPerChunk },
  { name: 'goodput_requests_per_second', streamed: row => row.goodput?.requestsPerSecond ?? null },
  both('client_cores', row => row.clientCores),
  both('server_cores', row => row.serverCores),
  { name: 'connections', raw: row => row.connections },
  { name: 'raw_latency_ms_p50', raw: row => row.latencyP50Ms },
  { name: 'raw_latency_ms_p99', raw: row => row.latencyP99Ms },
  { name: 'draws_per_chunk', streamed: ({ draws }) => draws && draws.draws / draws.chunks },
  both('failures', row => row.failures.map(describeFailures).join('; ')),
];

/** @returns lines of streamed loads, then those of short whole answers */
export function reportCsv(report: Report): string {
  const lines = [
    columns.map(({ name }) => name),
    ...report.rows.map(row => columns.map(({ streamed }) => cell(streamed?.(row, report) ?? null))),
    ...report.rawRows.map(row => columns.map(({ raw }) => cell(raw?.(row, report) ?? null))),
  ];
  return `${lines.map(line => line.join(',')).join('\r\n')}\r\n`;
}

function describeFailures({ code, count, example }: FailureCount): string {
  return `${count} ${code}: ${example}`;
}

function cell(value: Value): string {
  if (value === null) return '';
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
