/** Why a connection brought no whole answer. */
import { RequestFailure } from './request-failure.js';

/**
 * @param error of the socket or of the HTTP parser
 * @param hasAnswer whether the answer had begun
 */
export function describeConnectionError(error: Error, url: URL, hasAnswer: boolean): RequestFailure {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (code.startsWith('HPE_')) {
    return new RequestFailure('malformed', `The answer of ${url.origin} is not HTTP (${code}).`);
  }
  if (isClosed(error)) return connectionClosed(url, hasAnswer);
  return new RequestFailure('unreachable', `Cannot reach ${url.origin}: ${describeNetwork(error, code)}.`);
}

/** Whether the other side ended the connection. */
export function isClosed(error: Error): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ECONNRESET' || code === 'EPIPE';
}

/** The other side ended the connection before the answer was whole. */
export function connectionClosed(url: URL, hasAnswer: boolean): RequestFailure {
  const when = hasAnswer ? 'in the middle of the answer' : 'without an answer';
  return new RequestFailure('dropped', `${url.origin} closed the connection ${when}.`);
}

/** The answer was not whole within the limit. */
export function timedOut(timeoutMs: number, hasAnswer: boolean): RequestFailure {
  const what = hasAnswer ? 'The answer was not complete' : 'There was no answer';
  return new RequestFailure(
    'timed_out',
    `${what} within the time limit of ${timeoutMs / 1000} s (--timeout).`,
  );
}

function describeNetwork(error: Error, code: string): string {
  if (code === 'ECONNREFUSED') return 'nothing listens there (ECONNREFUSED)';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `the host name is not known (${code})`;
  return error.message || code;
}
