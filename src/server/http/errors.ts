/** How a failure looks on the wire: OpenAI's error envelope, and the HTTP status that goes with each error code. */
import { CalmError, type ErrorCode } from '../../errors.js';

/** OpenAI's error envelope. All four keys are always there; clients rely on them. */
export interface ErrorBody {
  readonly error: {
    readonly message: string;
    readonly type: string;
    readonly param: string | null;
    readonly code: string | null;
  };
}

interface WireForm {
  readonly status: 400 | 401 | 404 | 405 | 408 | 413 | 415 | 429 | 500 | 503;
  readonly type: 'invalid_request_error' | 'authentication_error' | 'rate_limit_error' | 'server_error';
  readonly code: string | null;
}

const invalidRequest = (status: WireForm['status'], code: string | null): WireForm => ({
  status,
  type: 'invalid_request_error',
  code,
});
const serverError = (status: WireForm['status'], code: string | null): WireForm => ({
  status,
  type: 'server_error',
  code,
});

/** Status, type and code by error code; codes are OpenAI's own where it has one, because clients compare them. */
const wireForms: Record<ErrorCode, WireForm> = {
  unauthorized: { status: 401, type: 'authentication_error', code: 'invalid_api_key' },
  invalid_request: invalidRequest(400, 'invalid_value'),
  context_length_exceeded: invalidRequest(400, 'context_length_exceeded'),
  unsupported: invalidRequest(400, 'unsupported_parameter'),
  // The same request would end in the same way: a 5xx would make clients send it again.
  sampler_limit: invalidRequest(400, 'sampler_limit'),
  not_found: invalidRequest(404, 'not_found'),
  model_not_found: invalidRequest(404, 'model_not_found'),
  method_not_allowed: invalidRequest(405, 'method_not_allowed'),
  payload_too_large: invalidRequest(413, 'payload_too_large'),
  unsupported_media_type: invalidRequest(415, 'unsupported_media_type'),
  queue_full: { status: 429, type: 'rate_limit_error', code: 'rate_limit_exceeded' },
  aborted: invalidRequest(400, 'aborted'),
  no_slot: serverError(503, 'no_slot_available'),
  loading: serverError(503, 'loading'),
  shutting_down: serverError(503, 'shutting_down'),
  request_timeout: serverError(408, 'request_timeout'),
  client_too_slow: serverError(408, 'client_too_slow'),
  device_unavailable: serverError(503, 'device_unavailable'),
  native: serverError(500, 'native_error'),
  bad_usage: serverError(500, null),
  bad_checkpoint: serverError(500, null),
  bad_package: serverError(500, null),
  bad_tokenizer: serverError(500, null),
  bad_golden: serverError(500, null),
  port_in_use: serverError(500, null),
  internal: serverError(500, null),
};

/**
 * Headers beside the body. Both OpenAI clients honour `Retry-After`, in seconds, and `x-should-retry`: without it they
 * would send a request again that has just proved too long. A body that is too large is not read
 * to its end, so its connection carries no further request.
 */
const extraHeaders: Partial<Record<ErrorCode, Readonly<Record<string, string>>>> = {
  queue_full: { 'retry-after': '1' },
  no_slot: { 'retry-after': '1' },
  loading: { 'retry-after': '2' },
  shutting_down: { 'retry-after': '5' },
  unauthorized: { 'www-authenticate': 'Bearer' },
  request_timeout: { 'x-should-retry': 'false' },
  payload_too_large: { connection: 'close' },
};

/** An error's status, headers and body. An error that nobody threw on purpose keeps its message to itself. */
export function describeError(error: unknown): {
  readonly status: WireForm['status'];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorBody;
} {
  const known =
    error instanceof CalmError
      ? error
      : new CalmError('internal', 'The server failed while it handled this request. Its log says more.');
  const { status, type, code } = wireForms[known.code];
  return {
    status,
    headers: extraHeaders[known.code] ?? {},
    body: { error: { message: known.message, type, param: known.param, code } },
  };
}

/** True where the failure is the server's own and nobody asked for it, so that it belongs into the log. */
export function isServerFault(error: unknown): boolean {
  return describeError(error).status === 500;
}
