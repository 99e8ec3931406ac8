/**
 * The names, meanings and buckets of all metrics. What this server shares with vLLM has vLLM's name, labels and
 * buckets (vllm/v1/metrics/loggers.py), so that dashboards and gateways made for it work; the rest begins with `calm:`.
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { ChunkHistogram } from './chunk-histogram.js';

const firstTokenBuckets = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640,
  2560,
];
const interTokenBuckets = [
  0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
];
const requestBuckets = [
  0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
];
/** On a CALM of a few millions of parameters a token takes less than vLLM's smallest bucket. */
const chunkBuckets = [0.0005, 0.001, 0.0025, 0.005, ...interTokenBuckets];
const countBuckets = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000];
const choiceBuckets = [1, 2, 5, 10, 20, 50, 128];
const drawBuckets = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 200, 400, 1000, 4000, 16_000, 65_536];
const httpBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

/** Labels that each model's metrics carry; vLLM numbers its engines, and each model here has one. */
const modelLabels = ['model_name', 'engine'] as const;

/** Every metric of a server, under the names that the code uses. */
export type MetricFamilies = ReturnType<typeof declareMetrics>;

/** Declares them in a registry that belongs to one server. */
export function declareMetrics(registry: Registry) {
  const registers = [registry];
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames: modelLabels, registers });
  const counter = <Label extends string = never>(name: string, help: string, ...labels: Label[]) =>
    new Counter({ name, help, labelNames: [...modelLabels, ...labels], registers });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name, help, buckets, labelNames: modelLabels, registers });
  const chunkHistogram = (name: string, help: string, buckets: readonly number[]) =>
    new ChunkHistogram({ name, help, buckets, registry });
  return {
    running: gauge('vllm:num_requests_running', 'Choices that are being generated.'),
    waiting: gauge('vllm:num_requests_waiting', 'Choices that wait for a slot.'),
    cacheUsage: gauge(
      'vllm:kv_cache_usage_perc',
      'Share of the KV cache that is taken, 0 to 1: leased slots.',
    ),
    preemptions: counter('vllm:num_preemptions_total', 'Always 0: a running request keeps its slot.'),
    prefixQueries: counter(
      'vllm:prefix_cache_queries_total',
      'Prompt tokens of choices that started, looked up in the prefix cache.',
    ),
    prefixHits: counter(
      'vllm:prefix_cache_hits_total',
      'Prompt tokens whose keys and values were found in the prefix cache.',
    ),
    promptTokens: counter('vllm:prompt_tokens_total', 'Prompt tokens of choices that got a first chunk.'),
    generationTokens: counter('vllm:generation_tokens_total', 'Generated tokens.'),
    finished: counter('vllm:request_success_total', 'Finished choices by reason.', 'finished_reason'),
    firstToken: histogram(
      'vllm:time_to_first_token_seconds',
      'From submission to the first chunk, which holds the first token.',
      firstTokenBuckets,
    ),
    interToken: chunkHistogram(
      'vllm:inter_token_latency_seconds',
      'Time per token after the first chunk: a chunk of K tokens counts as K, each a K-th of its time.',
      interTokenBuckets,
    ),
    endToEnd: histogram(
      'vllm:e2e_request_latency_seconds',
      'From submission to the last chunk.',
      requestBuckets,
    ),
    queueTime: histogram('vllm:request_queue_time_seconds', 'Wait for a slot.', requestBuckets),
    inferenceTime: histogram(
      'vllm:request_inference_time_seconds',
      'From slot to last chunk.',
      requestBuckets,
    ),
    prefillTime: histogram('vllm:request_prefill_time_seconds', 'From slot to first chunk.', requestBuckets),
    decodeTime: histogram('vllm:request_decode_time_seconds', 'From first to last chunk.', requestBuckets),
    requestPromptTokens: histogram('vllm:request_prompt_tokens', 'Prompt tokens of a choice.', countBuckets),
    requestGenerationTokens: histogram(
      'vllm:request_generation_tokens',
      'Generated tokens of a choice.',
      countBuckets,
    ),
    requestMaxTokens: histogram('vllm:request_params_max_tokens', 'max_tokens of a choice.', countBuckets),
    longestChoice: histogram(
      'vllm:request_max_num_generation_tokens',
      'Generated tokens of the longest choice of a request.',
      countBuckets,
    ),
    requestChoices: histogram('vllm:request_params_n', 'Choices of a request.', choiceBuckets),

    slots: gauge('calm:slots', 'Choices that can be generated at a time.'),
    prefixCacheBytes: gauge('calm:prefix_cache_bytes', 'Memory of the beginnings of prompts that are kept.'),
    largestBatch: gauge('calm:largest_batch_size', 'Most choices that one step has decoded so far.'),
    unreadChunks: new Gauge({
      name: 'calm:unread_chunks',
      help: 'Generated chunks that wait for slow readers.',
      registers,
    }),
    chunks: counter('calm:generated_chunks_total', 'Generated chunks; by calm:steps_total, the mean batch.'),
    steps: counter('calm:steps_total', 'Steps of the engine.'),
    failedSteps: counter('calm:failed_steps_total', 'Steps that failed.'),
    prefillChunks: counter('calm:prefill_chunks_total', 'Chunks of prompts written to the cache.'),
    draws: counter('calm:draws_total', 'Candidate chunks that were drawn.'),
    decodedPositions: counter(
      'calm:decoded_positions_total',
      'Tokens of candidate chunks that were decoded.',
    ),
    fallbacks: counter(
      'calm:fallbacks_total',
      "Chunks that counts of candidates decided, where draws did not reach the sampler's law (between T = 1/2 and 1 auto's own).",
    ),
    slotMoves: counter('calm:slot_moves_total', 'Copies of one cache row onto another.'),
    nativeCalls: counter('calm:native_calls_total', 'Calls of the native library.'),
    stepSeconds: counter(
      'calm:step_seconds_total',
      'Time in steps: parts prefill, decode, draw, model (its own overhead) and engine.',
      'part',
    ),
    drawsPerChunk: chunkHistogram(
      'calm:draws_per_chunk',
      'Candidates that were looked at for a chunk.',
      drawBuckets,
    ),
    interChunk: chunkHistogram(
      'calm:inter_chunk_latency_seconds',
      'From one chunk of a choice to the next.',
      chunkBuckets,
    ),
    ignoredParams: new Counter({
      name: 'calm:ignored_params_total',
      help: 'Request fields that no model here honours.',
      labelNames: ['param'],
      registers,
    }),

    httpRequests: new Counter({
      name: 'http_requests_total',
      help: 'HTTP requests; handler "none" is no route, status 499 a client that left before the answer.',
      labelNames: ['handler', 'method', 'status'],
      registers,
    }),
    httpSeconds: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'From the headers of a request to the last byte of its answer.',
      labelNames: ['handler', 'method'],
      buckets: httpBuckets,
      registers,
    }),
  };
}
