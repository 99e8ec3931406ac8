/**
 * The one error type that this project throws on purpose. A message is a whole sentence that names the
 * field, the value and the fix; it may be shown to users as it is. Anything else that is thrown is a bug.
 */

/** What went wrong, in a form that the HTTP layer maps to a status and the command line to an exit code. */
export type ErrorCode =
  | 'bad_usage' // a command-line argument or option
  | 'bad_checkpoint' // a checkpoint folder that cannot be converted
  | 'bad_package' // a model package that cannot be loaded
  | 'bad_tokenizer' // a tokenizer file that cannot be used
  | 'bad_golden' // a file of recorded outputs that cannot be compared with
  | 'native' // ONNX Runtime reported a failure
  | 'device_unavailable' // the wanted execution provider is not there
  | 'unauthorized' // no API key, or one that this server does not know
  | 'invalid_request' // a field of a generation request
  | 'context_length_exceeded' // a prompt that does not fit
  | 'unsupported' // something that this model or this version cannot do
  | 'not_found' // a route that is not served
  | 'model_not_found' // a model that is not served
  | 'method_not_allowed' // a route that is served, by another HTTP method
  | 'payload_too_large' // a request body over the server's limit
  | 'unsupported_media_type' // a request body that is not JSON
  | 'queue_full' // too many requests wait already
  | 'no_slot' // all slots are taken, and the caller asked to be told so
  | 'loading' // the server's models are not loaded yet
  | 'shutting_down' // the server takes no more requests
  | 'request_timeout' // a request that ran longer than the server allows
  | 'client_too_slow' // a reader that left too much of its stream unread
  | 'sampler_limit' // a sampler reached the server's limit against runaways
  | 'port_in_use'
  | 'aborted' // the caller went away
  | 'internal';

/** A failure with a code and a sentence for the user. */
export class CalmError extends Error {
  override readonly name = 'CalmError';
  readonly code: ErrorCode;
  /** The request field, option or tensor that is at fault, if one is. */
  readonly param: string | null;

  constructor(code: ErrorCode, message: string, details: { param?: string; cause?: unknown } = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.param = details.param ?? null;
  }
}
