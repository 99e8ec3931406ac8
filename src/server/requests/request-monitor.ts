/** Watches every request of a server: what it takes from the engines, how far its reader is behind, how it ends. */
import { CalmError, type ErrorCode } from '../../errors.js';
import type { ChunkEvent, GenerationRequest } from '../../runtime/request.js';
import type { ServedModel } from '../models/served-model.js';
import {
  type ChoiceEnding,
  RequestRecord,
  type RequestStart,
  type RequestSummary,
} from '../telemetry/request-record.js';
import { type ModelMetrics, ServerMetrics } from '../telemetry/server-metrics.js';
import { ChunkRelay, type RelayObserver } from './chunk-relay.js';

export interface MonitorOptions {
  /**
   * Chunks that may wait for the reader of one request, all choices together, before the request is given up.
   * Default 4096, about a megabyte of events.
   */
  readonly maxUnreadChunks?: number;
  /** Is told of every request when its answer is sent or its client gone. */
  readonly onRequestDone?: (summary: RequestSummary) => void;
  /** The clock, in milliseconds. Default `performance.now`. */
  readonly now?: () => number;
}

/** A request whose choices run under one signal. */
interface Followed {
  readonly record: RequestRecord;
  readonly controller: AbortController;
  unreadChunks: number;
}

export class RequestMonitor {
  readonly metrics = new ServerMetrics();
  readonly #options: Required<MonitorOptions>;
  /** By the signal that the engine gets with each choice: the only thing of a request that reaches it. */
  readonly #followed = new WeakMap<AbortSignal, Followed>();

  constructor(options: MonitorOptions = {}) {
    const defaults = { maxUnreadChunks: 4096, onRequestDone: () => {}, now: () => performance.now() };
    this.#options = { ...defaults, ...options };
  }

  /** Opens the record of a request. */
  begin(start: RequestStart): RequestRecord {
    return new RequestRecord(start, this.#options.now);
  }

  /** Books a finished request. */
  end(summary: RequestSummary): void {
    this.metrics.requestDone(summary);
    this.metrics.paramsIgnored(summary.ignoredParams);
    this.#options.onRequestDone(summary);
  }

  /** Counts to this record whatever an engine does under the controller's signal. */
  follow(record: RequestRecord, controller: AbortController): void {
    this.#followed.set(controller.signal, { record, controller, unreadChunks: 0 });
  }

  /** The same model, with an engine that is watched. */
  observe(model: ServedModel): ServedModel {
    const { engine } = model;
    const metrics = this.metrics.addModel(model);
    const submit: ServedModel['engine']['submit'] = (request, signal) => {
      const chunks = engine.submit(request, signal);
      const followed = signal && this.#followed.get(signal);
      followed?.record.choiceSubmitted(model.id, request);
      return new ChunkRelay(chunks, this.#observeChoice(request, metrics, followed));
    };
    return {
      ...model,
      engine: {
        submit,
        check: (request, choices) => engine.check(request, choices),
        stats: () => engine.stats(),
      },
    };
  }

  #observeChoice(
    request: GenerationRequest,
    metrics: ModelMetrics,
    followed: Followed | undefined,
  ): RelayObserver {
    let last: ChunkEvent | undefined;
    let generatedTokens = 0;
    return {
      onChunk: event => {
        generatedTokens += event.tokens.length;
        metrics.chunk(event, last, request);
        followed?.record.chunkGenerated(event);
        last = event;
      },
      onUnread: change => this.#countUnread(change, followed),
      onEnd: outcome => {
        const ending = readEnding(outcome, last, followed?.controller.signal);
        metrics.choiceEnded(ending, request, generatedTokens, last);
        followed?.record.choiceEnded(ending, generatedTokens);
        if (followed && ending === 'error') followed.record.error ??= codeOf(outcome);
      },
    };
  }

  /** A reader who has fallen too far behind will hardly catch up, and costs a slot until then. */
  #countUnread(change: number, followed: Followed | undefined): void {
    this.metrics.unreadChanged(change);
    if (!followed) return;
    followed.unreadChunks += change;
    const { maxUnreadChunks } = this.#options;
    if (change > 0 && followed.unreadChunks > maxUnreadChunks)
      followed.controller.abort(tooSlow(maxUnreadChunks));
  }
}

/** A reader that leaves while nobody aborted has found a stop string. */
function readEnding(
  outcome: Parameters<RelayObserver['onEnd']>[0],
  last: ChunkEvent | undefined,
  signal: AbortSignal | undefined,
): ChoiceEnding {
  if (last?.finishReason) return last.finishReason;
  if (outcome === 'left') return signal?.aborted ? 'abort' : 'stop';
  const isAbort =
    outcome !== 'done' && outcome.error instanceof CalmError && outcome.error.code === 'aborted';
  return isAbort ? 'abort' : 'error';
}

function codeOf(outcome: Parameters<RelayObserver['onEnd']>[0]): ErrorCode {
  const isKnown = typeof outcome === 'object' && outcome.error instanceof CalmError;
  return isKnown ? (outcome.error as CalmError).code : 'internal';
}

function tooSlow(maxUnreadChunks: number): CalmError {
  return new CalmError(
    'client_too_slow',
    `The stream was given up: more than ${maxUnreadChunks} chunks waited for their reader.`,
  );
}
