/** Requests per second of short answers that are not streamed, by autocannon: what the HTTP side alone can carry. */
import autocannon from 'autocannon';
import { z } from 'zod';
import {
  type CompletionEndpoint,
  type CompletionJob,
  requestBody,
  requestHeaders,
} from '../client/completion-call.js';
import type { Clock } from '../clock.js';

export interface RawRun {
  readonly requests: number;
  readonly failed: number;
  readonly requestsPerSecond: number;
  readonly tokensPerSecond: number;
  /** Latency of whole answers, milliseconds, as autocannon counts it. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
}

/** Errors after which a run ends early: the target has stopped working. */
const mostErrors = 20;
/** autocannon looks this often whether it is done. */
const pollMs = 50;

const answerSchema = z.looseObject({
  choices: z.array(z.unknown()).nonempty(),
  usage: z.looseObject({ completion_tokens: z.int() }),
});

/**
 * Sends as many requests as there are jobs, `connections` at a time. A request without an answer counts as failed, and
 * so does an answer with an error or a wrong number of tokens.
 */
export async function measureRawThroughput(
  endpoint: CompletionEndpoint,
  jobs: readonly [CompletionJob, ...CompletionJob[]],
  connections: number,
  clock: Clock,
): Promise<RawRun> {
  const requests = jobs.map(job => ({
    method: 'POST' as const,
    path: new URL(`${endpoint.baseUrl}/v1/completions`).pathname,
    headers: requestHeaders(endpoint.apiKey),
    body: requestBody(job, endpoint, false),
  }));
  const tally = { answers: 0, tokens: 0, started: 0 };
  const startMs = clock.now();
  let endMs = startMs;
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const instance = autocannon(
      {
        url: endpoint.baseUrl,
        // autocannon refuses more connections than requests.
        connections: Math.min(connections, jobs.length),
        amount: jobs.length,
        timeout: Math.max(1, Math.ceil(endpoint.timeoutMs / 1000)),
        bailout: mostErrors,
        sampleInt: pollMs,
        excludeErrorStats: true,
        requests,
        // Every connection would begin with the first request.
        setupClient: client => client.setRequests(rotate(requests, tally.started++)),
        verifyBody: body => {
          const tokens = countTokens(body, jobs[0]);
          if (tokens === null) return false;
          tally.answers++;
          tally.tokens += tokens;
          return true;
        },
      },
      (error: unknown, finished) => (error ? reject(error) : resolve(finished)),
    );
    // The result's own times are rounded up to the next look.
    instance.on('response', () => {
      endMs = clock.now();
    });
  });
  const seconds = (endMs - startMs) / 1000;
  return {
    requests: jobs.length,
    failed: jobs.length - tally.answers,
    requestsPerSecond: seconds > 0 ? tally.answers / seconds : 0,
    tokensPerSecond: seconds > 0 ? tally.tokens / seconds : 0,
    latencyMs: { p50: result.latency.p50, p99: result.latency.p99 },
  };
}

function rotate<Item>(items: readonly Item[], by: number): Item[] {
  const start = by % items.length;
  return [...items.slice(start), ...items.slice(0, start)];
}

/** The answer's tokens; null where it is no answer or has the wrong number of them. */
function countTokens(body: unknown, { maxTokens, ignoreEos }: CompletionJob): number | null {
  try {
    const { usage } = answerSchema.parse(JSON.parse(String(body)));
    const count = usage.completion_tokens;
    const isRight = ignoreEos ? count === maxTokens : count >= 1 && count <= maxTokens;
    return isRight ? count : null;
  } catch {
    return null;
  }
}
