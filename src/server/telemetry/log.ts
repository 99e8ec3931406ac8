/** The server's log: one line for each request and each thing an operator should know, as JSON or as text. */
import pino from 'pino';
import type { RequestSummary } from './request-record.js';

/** Where lines go. None of them ever holds a prompt, a generated text or an API key. */
export interface Log {
  /** Something that an operator should know. */
  note(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** A failure of the server's own. The id is in the request's answer too, so that a user's report leads here. */
  fault(message: string, requestId: string): void;
  /** A request that is over. */
  request(summary: RequestSummary): void;
}

/** @param write takes whole lines, with their line break */
export function createLog(format: 'json' | 'text', write: (line: string) => void): Log {
  return format === 'json' ? createJsonLog(write) : createTextLog(write);
}

function createJsonLog(write: (line: string) => void): Log {
  const logger = pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: level => ({ level }) },
    },
    { write },
  );
  return {
    note: (message, fields = {}) => logger.info(fields, message),
    fault: (message, requestId) => logger.error({ request_id: requestId }, message),
    request: summary => logger.info(describeRequest(summary), 'request'),
  };
}

/** A request as the fields of a JSON line. */
export function describeRequest(summary: RequestSummary): Record<string, unknown> {
  const {
    requestId,
    traceId,
    method,
    path,
    route,
    status,
    totalMs,
    aborted,
    error,
    ignoredParams,
    generation,
  } = summary;
  return {
    request_id: requestId,
    ...(traceId === undefined ? {} : { trace_id: traceId }),
    method,
    path,
    route,
    status,
    total_ms: round(totalMs),
    aborted,
    ...(error === null ? {} : { error }),
    ...(ignoredParams.length === 0 ? {} : { ignored_params: ignoredParams }),
    ...(generation === null
      ? {}
      : {
          model: generation.model,
          choices: generation.choices,
          prompt_tokens: generation.promptTokens,
          generated_tokens: generation.generatedTokens,
          chunks: generation.chunks,
          draws: generation.draws,
          fallbacks: generation.fallbacks,
          queue_ms: round(generation.queueMs),
          first_chunk_ms: round(generation.firstChunkMs),
          finish_reasons: generation.finishReasons,
        }),
  };
}

function createTextLog(write: (line: string) => void): Log {
  const writeLine = (text: string): void => write(`${new Date().toISOString()} ${text}\n`);
  return {
    note: message => writeLine(message),
    fault: (message, requestId) => writeLine(`${requestId} failed: ${message}`),
    request: summary => writeLine(writeRequest(summary)),
  };
}

function writeRequest(summary: RequestSummary): string {
  const { requestId, method, path, status, totalMs, aborted, error, ignoredParams, generation } = summary;
  const parts = [`${requestId} ${method} ${path} ${status} in ${round(totalMs)} ms`];
  if (aborted) parts.push('client left');
  if (error !== null) parts.push(error);
  if (generation !== null) {
    const { model, promptTokens, generatedTokens, chunks, draws, queueMs, firstChunkMs } = generation;
    parts.push(`${model}: ${promptTokens} + ${generatedTokens} tokens, ${chunks} chunks, ${draws} draws`);
    if (firstChunkMs !== null)
      parts.push(`queued ${round(queueMs)} ms, first chunk ${round(firstChunkMs)} ms`);
  }
  if (ignoredParams.length > 0) parts.push(`ignored ${ignoredParams.join(', ')}`);
  return parts.join('; ');
}

/** Milliseconds to a hundredth. */
function round(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms * 100) / 100;
}
