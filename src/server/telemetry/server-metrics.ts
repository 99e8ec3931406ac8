/** Books what happens in a server, and shows it in Prometheus' text format. One registry a server, none shared. */
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { EngineStats } from '../../runtime/engine-metrics.js';
import type { ChunkEvent, GenerationRequest } from '../../runtime/request.js';
import type { ServedModel } from '../models/served-model.js';
import type { HistogramSeries } from './chunk-histogram.js';
import { declareMetrics, type MetricFamilies } from './metric-families.js';
import type { ChoiceEnding, GenerationSummary, RequestSummary } from './request-record.js';

const choiceEndings: readonly ChoiceEnding[] = ['stop', 'length', 'abort', 'error'];

/** Metrics of one model. */
export class ModelMetrics {
  readonly #families: MetricFamilies;
  readonly #labels: { readonly model_name: string; readonly engine: string };
  readonly #interToken: HistogramSeries;
  readonly #interChunk: HistogramSeries;
  readonly #drawsPerChunk: HistogramSeries;

  constructor(families: MetricFamilies, modelName: string) {
    this.#families = families;
    this.#labels = { model_name: modelName, engine: '0' };
    this.#interToken = families.interToken.addSeries(this.#labels);
    this.#interChunk = families.interChunk.addSeries(this.#labels);
    this.#drawsPerChunk = families.drawsPerChunk.addSeries(this.#labels);
    // Series that exist from the start: a rate over the first event is else lost.
    for (const ending of choiceEndings)
      families.finished.inc({ ...this.#labels, finished_reason: ending }, 0);
    families.preemptions.inc(this.#labels, 0);
    families.promptTokens.inc(this.#labels, 0);
    for (const histogram of [families.firstToken, families.endToEnd, families.queueTime]) {
      histogram.zero(this.#labels);
    }
  }

  /** @param previous the choice's chunk before this one */
  chunk(event: ChunkEvent, previous: ChunkEvent | undefined, request: GenerationRequest): void {
    const families = this.#families;
    this.#drawsPerChunk.observe(event.draws);
    if (previous === undefined) {
      families.promptTokens.inc(this.#labels, request.promptTokens.length);
      families.firstToken.observe(this.#labels, seconds(event.timing.firstChunkMs));
      return;
    }
    const gapMs = event.timing.elapsedMs - previous.timing.elapsedMs;
    this.#interChunk.observe(seconds(gapMs));
    const tokenCount = event.tokens.length;
    if (tokenCount > 0) this.#interToken.observe(seconds(gapMs / tokenCount), tokenCount);
  }

  /** @param last the choice's last chunk; undefined where it got none */
  choiceEnded(
    ending: ChoiceEnding,
    request: GenerationRequest,
    generatedTokens: number,
    last: ChunkEvent | undefined,
  ): void {
    const families = this.#families;
    families.finished.inc({ ...this.#labels, finished_reason: ending });
    if (!last) return;
    const { queuedMs, firstChunkMs, elapsedMs } = last.timing;
    families.queueTime.observe(this.#labels, seconds(queuedMs));
    families.prefillTime.observe(this.#labels, seconds(firstChunkMs - queuedMs));
    families.decodeTime.observe(this.#labels, seconds(elapsedMs - firstChunkMs));
    families.inferenceTime.observe(this.#labels, seconds(elapsedMs - queuedMs));
    families.endToEnd.observe(this.#labels, seconds(elapsedMs));
    families.requestPromptTokens.observe(this.#labels, request.promptTokens.length);
    families.requestGenerationTokens.observe(this.#labels, generatedTokens);
    families.requestMaxTokens.observe(this.#labels, request.maxTokens);
  }

  requestDone({ choices, longestChoiceTokens }: GenerationSummary): void {
    this.#families.requestChoices.observe(this.#labels, choices);
    this.#families.longestChoice.observe(this.#labels, longestChoiceTokens);
  }

  /** Copies the engine's own counters, at each scrape. */
  copyStats(stats: EngineStats): void {
    const families = this.#families;
    const labels = this.#labels;
    families.running.set(labels, stats.running);
    families.waiting.set(labels, stats.waiting);
    families.cacheUsage.set(labels, stats.leasedSlots / stats.slotCount);
    families.slots.set(labels, stats.slotCount);
    families.largestBatch.set(labels, stats.largestBatch);
    families.prefixCacheBytes.set(labels, stats.prefixCacheBytes);
    families.prefixQueries.inc(labels, stats.prefixQueriedTokens);
    families.prefixHits.inc(labels, stats.prefixHitTokens);
    families.generationTokens.inc(labels, stats.generatedTokens);
    families.chunks.inc(labels, stats.generatedChunks);
    families.steps.inc(labels, stats.steps);
    families.failedSteps.inc(labels, stats.failedSteps);
    families.prefillChunks.inc(labels, stats.prefillChunks);
    families.draws.inc(labels, stats.draws);
    families.decodedPositions.inc(labels, stats.decodedPositions);
    families.fallbacks.inc(labels, stats.fallbacks);
    families.slotMoves.inc(labels, stats.slotMoves);
    families.nativeCalls.inc(labels, stats.nativeCalls);
    const { prefillMs, decodeMs, drawMs, modelMs, stepMs } = stats;
    const parts = {
      prefill: prefillMs,
      decode: decodeMs,
      draw: drawMs,
      model: modelMs - prefillMs - decodeMs - drawMs,
      engine: stepMs - modelMs,
    };
    for (const [part, ms] of Object.entries(parts)) {
      families.stepSeconds.inc({ ...labels, part }, seconds(Math.max(0, ms)));
    }
  }
}

export class ServerMetrics {
  readonly #registry = new Registry();
  readonly #families = declareMetrics(this.#registry);
  readonly #models = new Map<
    ServedModel['id'],
    { readonly metrics: ModelMetrics; readonly model: ServedModel }
  >();
  #unreadChunks = 0;

  /** Chunks that wait for slow readers, over all requests. */
  get unreadChunks(): number {
    return this.#unreadChunks;
  }

  /** Adds memory, processor and event-loop metrics of the process, for the one server of a process. */
  includeProcess(): void {
    collectDefaultMetrics({ register: this.#registry });
  }

  addModel(model: ServedModel): ModelMetrics {
    const metrics = new ModelMetrics(this.#families, model.id);
    this.#models.set(model.id, { metrics, model });
    return metrics;
  }

  unreadChanged(change: number): void {
    this.#unreadChunks += change;
  }

  paramsIgnored(params: readonly string[]): void {
    for (const param of params) this.#families.ignoredParams.inc({ param });
  }

  requestDone({ route, method, status, totalMs, generation }: RequestSummary): void {
    const handler = route ?? 'none';
    this.#families.httpRequests.inc({ handler, method, status });
    this.#families.httpSeconds.observe({ handler, method }, seconds(totalMs));
    if (generation) this.#models.get(generation.model)?.metrics.requestDone(generation);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics in the text format. */
  async show(): Promise<string> {
    this.#copyStats();
    return this.#registry.metrics();
  }

  #copyStats(): void {
    const families = this.#families;
    families.unreadChunks.set(this.#unreadChunks);
    for (const counter of [
      families.prefixQueries,
      families.prefixHits,
      families.generationTokens,
      families.chunks,
      families.steps,
      families.failedSteps,
      families.prefillChunks,
      families.draws,
      families.decodedPositions,
      families.fallbacks,
      families.slotMoves,
      families.nativeCalls,
      families.stepSeconds,
    ]) {
      counter.reset();
    }
    for (const { metrics, model } of this.#models.values()) metrics.copyStats(model.engine.stats());
  }
}

function seconds(ms: number): number {
  return ms / 1000;
}
