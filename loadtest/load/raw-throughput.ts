/** Requests per second of short answers that are not streamed, by autocannon: what the HTTP side alone can carry. */
import type { IncomingHttpHeaders } from 'node:http';
import autocannon from 'autocannon';
import {
  type CompletionEndpoint,
  type CompletionJob,
  requestBody,
  requestHeaders,
} from '../client/completion-call.js';
import type { RequestFailure } from '../client/request-failure.js';
import type { Clock } from '../clock.js';
import { RawTally } from './raw-tally.js';

export interface RawRun {
  /** Requests that ended, failed ones included: fewer than asked for where the target stopped working. */
  readonly requests: number;
  readonly failures: readonly RequestFailure[];
  readonly requestsPerSecond: number;
  readonly tokensPerSecond: number;
  /** Latency of whole answers, milliseconds, as autocannon counts it. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
}

const mostFailures = 20;
/** autocannon looks this often whether it is done. */
const pollMs = 50;

/**
 * Sends as many requests as there are jobs, `connections` at a time. Every answer is checked as a streamed one is; a
 * request without an answer counts as failed too.
 */
export async function measureRawThroughput(
  endpoint: CompletionEndpoint,
  jobs: readonly [CompletionJob, ...CompletionJob[]],
  connections: number,
  clock: Clock,
): Promise<RawRun> {
  const url = new URL(`${endpoint.baseUrl}/v1/completions`);
  // autocannon counts whole seconds.
  const timeoutSeconds = Math.max(1, Math.ceil(endpoint.timeoutMs / 1000));
  let stop = (): void => {};
  const tally = new RawTally({
    url,
    timeoutMs: timeoutSeconds * 1000,
    // Jobs differ in prompt and seed alone.
    expected: jobs[0],
    mostFailures,
    stop: () => stop(),
  });
  const requests = jobs.map(job => ({
    method: 'POST' as const,
    path: url.pathname,
    headers: requestHeaders(endpoint.apiKey),
    body: requestBody(job, endpoint, false),
    onResponse: (status: number, body: string, _context: object, headers?: IncomingHttpHeaders) =>
      tally.answered(status, body, readConnection(headers)),
  }));
  const startMs = clock.now();
  let endMs = startMs;
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(
      {
        url: endpoint.baseUrl,
        // autocannon refuses more connections than requests.
        connections: Math.min(connections, jobs.length),
        amount: jobs.length,
        timeout: timeoutSeconds,
        sampleInt: pollMs,
        excludeErrorStats: true,
        requests,
        // Every connection would begin with the first request.
        setupClient: client => client.setRequests(rotate(requests, tally.watch(client))),
      },
      (error: unknown, finished) => (error ? reject(error) : resolve(finished)),
    );
    stop = () => instance.stop();
    // The result's own times are rounded up to the next look.
    instance.on('response', () => {
      endMs = clock.now();
    });
  });
  const failures = tally.finish();
  const seconds = (endMs - startMs) / 1000;
  return {
    requests: tally.answers + failures.length,
    failures,
    requestsPerSecond: seconds > 0 ? tally.answers / seconds : 0,
    tokensPerSecond: seconds > 0 ? tally.tokens / seconds : 0,
    latencyMs: { p50: result.latency.p50, p99: result.latency.p99 },
  };
}

/** autocannon leaves the names of headers as the server wrote them. */
function readConnection(headers: IncomingHttpHeaders = {}): unknown {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === 'connection')?.[1];
}

function rotate<Item>(items: readonly Item[], by: number): Item[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}
