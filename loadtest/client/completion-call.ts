/** One streamed completion, from the intended start to the last event, checked. */
import type { Clock } from '../clock.js';
import { AnswerReader, type StreamedAnswer } from './answer-reader.js';
import { type AnswerExpectation, checkAnswer } from './check-answer.js';
import { type DrawCount, hiddenError } from './completion-object.js';
import { exchange, type HttpConnections } from './exchange.js';
import { describeRefusal } from './refusal.js';
import { RequestFailure } from './request-failure.js';
import { SseReader } from './sse-reader.js';

/** Where completions are asked for. */
export interface CompletionEndpoint {
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey: string | null;
  readonly connections: HttpConnections;
  readonly timeoutMs: number;
  /** Ask for usage with every event, which tells how many tokens the first one carried. */
  readonly asksContinuousUsage: boolean;
  readonly samplingExtensions: SamplingExtensions;
}

/**
 * Fields that are no part of OpenAI's API, with values that change nothing: servers whose defaults cut the tail off
 * would else draw from another law. Empty for servers that refuse them.
 */
export type SamplingExtensions = Readonly<Partial<Record<'top_k' | 'min_p', number>>>;

/** Text, or token ids. */
export type Prompt = string | readonly number[];

export interface CompletionJob extends AnswerExpectation {
  readonly prompt: Prompt;
  readonly temperature: number;
  readonly seed: number;
}

/** Times of one checked answer; all in milliseconds. */
export interface CompletionTimes {
  /** From the intended start, so that waiting for a turn counts. */
  readonly ttftMs: number;
  readonly e2eMs: number;
  readonly gapsMs: readonly number[];
  /**
   * (end - first chunk) / (tokens - tokens of the first chunk); null where one chunk held everything. Dividing by
   * tokens - 1, as for servers that send single tokens, would make chunks look faster than they are.
   */
  readonly msPerToken: number | null;
  /** How late the request left the client. */
  readonly lagMs: number;
  readonly promptTokens: number | null;
  readonly tokens: number;
  /** Events that carried text. */
  readonly chunks: number;
  /** By the server's own count; null where it has none. */
  readonly draws: DrawCount | null;
}

/** The headers of every request to a target. */
export function requestHeaders(apiKey: string | null): Record<string, string> {
  return {
    'content-type': 'application/json',
    ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
  };
}

/** The request body; streamed or not is all that the two kinds of load differ in. */
export function requestBody(
  job: CompletionJob,
  endpoint: Pick<CompletionEndpoint, 'model' | 'asksContinuousUsage' | 'samplingExtensions'>,
  stream: boolean,
): string {
  const streamOptions = {
    include_usage: true,
    ...(endpoint.asksContinuousUsage ? { continuous_usage_stats: true } : {}),
  };
  return JSON.stringify({
    model: endpoint.model,
    prompt: job.prompt,
    max_tokens: job.maxTokens,
    temperature: job.temperature,
    top_p: 1,
    ...endpoint.samplingExtensions,
    seed: job.seed,
    ...(job.ignoreEos ? { ignore_eos: true } : {}),
    ...(stream ? { stream: true, stream_options: streamOptions } : {}),
  });
}

/**
 * Sends one completion request and reads its stream.
 *
 * @param intendedMs when the request should have started, on the clock's time
 * @throws RequestFailure saying how it failed
 */
export async function callCompletion(
  endpoint: CompletionEndpoint,
  job: CompletionJob,
  intendedMs: number,
  clock: Clock,
): Promise<CompletionTimes> {
  const sentMs = clock.now();
  const answer = await streamAnswer(endpoint, requestBody(job, endpoint, true), clock);
  checkAnswer(answer, job);
  return { ...describeTimes(answer, intendedMs), lagMs: sentMs - intendedMs };
}

/** What an answer's arrival times amount to. */
export function describeTimes(answer: StreamedAnswer, startMs: number): Omit<CompletionTimes, 'lagMs'> {
  const { completionTokens, chunkCount, firstChunkMs, endMs } = answer;
  // Without counts for each event, chunks are taken as equal.
  const firstTokens = answer.firstChunkTokens ?? completionTokens / Math.max(1, chunkCount);
  const restTokens = completionTokens - firstTokens;
  return {
    ttftMs: firstChunkMs - startMs,
    e2eMs: endMs - startMs,
    gapsMs: answer.gapsMs,
    msPerToken: restTokens > 0 && chunkCount > 1 ? (endMs - firstChunkMs) / restTokens : null,
    promptTokens: answer.promptTokens,
    tokens: completionTokens,
    chunks: chunkCount,
    draws: answer.draws,
  };
}

async function streamAnswer(
  endpoint: CompletionEndpoint,
  body: string,
  clock: Clock,
): Promise<StreamedAnswer> {
  const sse = new SseReader();
  const answer = new AnswerReader();
  const other: Buffer[] = [];
  let status = 0;
  let contentType = '';
  let isStream = false;
  await exchange(
    endpoint.connections,
    {
      method: 'POST',
      url: new URL(`${endpoint.baseUrl}/v1/completions`),
      headers: requestHeaders(endpoint.apiKey),
      body,
      timeoutMs: endpoint.timeoutMs,
    },
    {
      head(givenStatus, givenType) {
        status = givenStatus;
        contentType = givenType;
        isStream = status === 200 && /^text\/event-stream\b/i.test(contentType);
      },
      bytes(bytes) {
        if (!isStream) {
          other.push(bytes);
          return;
        }
        const atMs = clock.now();
        for (const event of sse.push(bytes)) answer.read(event, atMs);
      },
    },
  );
  if (!isStream) throw describeOther(status, contentType, Buffer.concat(other).toString());
  for (const event of sse.end()) answer.read(event, clock.now());
  return answer.finish();
}

function describeOther(status: number, contentType: string, body: string): RequestFailure {
  if (status !== 200) return describeRefusal(status, body);
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && 'error' in value) {
      return hiddenError(body, 'The answer');
    }
  } catch {
    // Not JSON either: the media type says enough.
  }
  const given = contentType === '' ? 'without a media type' : `as ${contentType}`;
  return new RequestFailure('malformed', `The answer came ${given}, not as text/event-stream.`);
}
