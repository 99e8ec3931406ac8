/** What the routes share. */

import type { Granularity } from './generation/generation.js';
import { isServerFault } from './http/errors.js';
import type { ServedModels } from './models/served-model.js';
import type { Lifecycle } from './requests/lifecycle.js';
import type { RequestMonitor } from './requests/request-monitor.js';

export interface ServerContext {
  readonly models: ServedModels;
  readonly lifecycle: Lifecycle;
  /** Largest request body. */
  readonly maxBodyBytes: number;
  /** Keys of which every request must carry one; none, or left out, to let everyone pass. */
  readonly apiKeys?: readonly string[];
  /** Origins of web pages that may call; `*`, or left out, for all. */
  readonly allowedOrigins?: readonly string[];
  /** Watches the requests; where it is left out, the app makes one of its own. */
  readonly monitor?: RequestMonitor;
  /** Time that a request may take in all; any, where it is left out. */
  readonly requestTimeoutMs?: number;
  /** Refuse known fields that a model cannot honour, instead of ignoring them; false where left out. */
  readonly strictParams?: boolean;
  /** What an event of a stream holds where the request does not say; a chunk, where it is left out. */
  readonly streamGranularity?: Granularity;
  /** Time without an event after which a stream gets a comment; never, where it is 0 or left out. */
  readonly keepAliveCommentMs?: number;
  /** Leave out the playground; it is served where this is left out. */
  readonly disablePlayground?: boolean;
  /** Of ONNX Runtime, for GET /version; not shown where it is left out. */
  readonly nativeVersion?: string;
  /** Writes one of the server's own failures to the log. */
  readonly logFault: (error: unknown, requestId: string) => void;
}

/** Logs what is the server's fault; what the client did wrong is told to the client alone. */
export function reportError(server: ServerContext, error: unknown, requestId: string): void {
  if (isServerFault(error)) server.logFault(error, requestId);
}
