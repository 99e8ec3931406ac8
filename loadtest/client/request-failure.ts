/** Why one request counts as failed. */
export type FailureCode =
  | 'unreachable' // nothing accepted the connection
  | 'key_refused' // 401 or 403
  | 'model_not_found' // the server does not serve the model
  | 'overloaded' // 429 or 503
  | 'refused' // any other status that is no success
  | 'dropped' // the connection ended before the answer did
  | 'malformed' // bytes that are no HTTP, no event stream, or no completion
  | 'timed_out' // slower than the time limit
  | 'error_in_stream' // an error after a status of 200
  | 'no_usage' // no token counts, so no rate can be computed
  | 'wrong_token_count'
  | 'wrong_finish_reason'
  | 'repetition_loop'; // the answer ends in one phrase over and over

/** A failed request: a code to count by and a sentence to show. */
export class RequestFailure extends Error {
  override readonly name = 'RequestFailure';
  readonly code: FailureCode;

  constructor(code: FailureCode, message: string) {
    super(message);
    this.code = code;
  }
}
