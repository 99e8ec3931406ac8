/** The engine's own speed: a full batch of running requests, timed between two of its steps. */
import { CalmError } from '../../errors.js';
import type { Engine } from '../../runtime/engine.js';
import type { EngineStats } from '../../runtime/engine-metrics.js';
import type { ChunkEvent, GenerationRequest } from '../../runtime/request.js';

/** One point of the benchmark. */
export interface BenchPoint {
  readonly batch: number;
  /** Tokens in the cache of each row when the clock starts. */
  readonly contextTokens: number;
  readonly steps: number;
  readonly temperature: number;
  readonly numCandidates: number;
}

/** What the engine did between the two readings of its counters. */
export interface EngineRate {
  readonly tokensPerSecond: number;
  /** Mean wall time in which every row gets a chunk: a step of the engine, or several where decisions stay open. */
  readonly stepMs: number;
  /** Inside the fused native call, and inside those for further candidates. */
  readonly fusedMs: number;
  readonly drawMs: number;
  /** All the rest: scheduler, sampler, noise, delivery. */
  readonly otherMs: number;
  /** Candidates a row and step. */
  readonly drawsPerStep: number;
}

/** Steps before the clock starts: kernels warm up, and no prompt is being prefilled any more. */
const WARMUP_STEPS = 4;

/** @throws CalmError bad_usage where the model's context cannot hold the run. */
export async function measureEngine(
  engine: Engine,
  shape: { readonly chunkSize: number; readonly vocabSize: number; readonly contextChunks: number },
  point: BenchPoint,
): Promise<EngineRate> {
  const promptChunks = Math.max(1, Math.ceil(point.contextTokens / shape.chunkSize));
  const generated = shape.contextChunks - promptChunks;
  if (generated < WARMUP_STEPS + point.steps + 2) {
    throw new CalmError(
      'bad_usage',
      `A context of ${point.contextTokens} tokens leaves room for ${Math.max(0, generated)} steps of this model's ` +
        `${shape.contextChunks} chunks, but ${WARMUP_STEPS + point.steps + 2} are needed; lower --context or --steps.`,
      { param: 'context' },
    );
  }
  const controller = new AbortController();
  const streams = Array.from({ length: point.batch }, (_, row) => {
    const promptTokens = pseudoRandomIds(row, promptChunks * shape.chunkSize, shape.vocabSize);
    const request: GenerationRequest = {
      promptTokens,
      maxTokens: generated * shape.chunkSize,
      minTokens: 0,
      sampling: { temperature: point.temperature, numCandidates: point.numCandidates, seed: row, choice: 0 },
      stopTokenIds: [],
    };
    return engine.submit(request, controller.signal);
  });
  const last = streams.pop() as AsyncIterable<ChunkEvent>;
  const others = streams.map(stream => drain(stream));
  const rate = await timeSteps(engine, last, point, shape.chunkSize);
  controller.abort();
  await Promise.all(others);
  return rate;
}

/** Follows the request that was admitted last: while it decodes, all of them do. */
async function timeSteps(
  engine: Engine,
  stream: AsyncIterable<ChunkEvent>,
  point: BenchPoint,
  chunkSize: number,
): Promise<EngineRate> {
  let seen = 0;
  let start: { readonly stats: EngineStats; readonly atMs: number } | null = null;
  for await (const _ of stream) {
    seen += 1;
    if (seen === WARMUP_STEPS) start = { stats: engine.stats(), atMs: performance.now() };
    if (start !== null && seen === WARMUP_STEPS + point.steps) {
      return rateBetween(
        start.stats,
        engine.stats(),
        performance.now() - start.atMs,
        point.batch * chunkSize,
      );
    }
  }
  throw new CalmError('internal', 'The benchmark ended before its last step.');
}

function rateBetween(
  before: EngineStats,
  after: EngineStats,
  wallMs: number,
  tokensPerStep: number,
): EngineRate {
  const steps = (after.generatedTokens - before.generatedTokens) / tokensPerStep;
  const perStep = (key: 'decodeMs' | 'drawMs') => (after[key] - before[key]) / steps;
  const stepMs = wallMs / steps;
  const fusedMs = perStep('decodeMs');
  const drawMs = perStep('drawMs');
  return {
    tokensPerSecond: (tokensPerStep / stepMs) * 1000,
    stepMs,
    fusedMs,
    drawMs,
    otherMs: stepMs - fusedMs - drawMs,
    drawsPerStep: (after.draws - before.draws) / (after.generatedChunks - before.generatedChunks),
  };
}

/** Reads a stream to its end; being aborted is the way these end. */
async function drain(stream: AsyncIterable<ChunkEvent>): Promise<void> {
  try {
    for await (const _ of stream);
  } catch (error) {
    if (!(error instanceof CalmError && error.code === 'aborted')) throw error;
  }
}

/** Ids spread over the vocabulary, the same in every run (a multiplicative congruential generator). */
function pseudoRandomIds(seed: number, count: number, vocabSize: number): number[] {
  let state = (seed + 1) * 48271;
  return Array.from({ length: count }, () => {
    state = (state * 48271) % 2147483647;
    return state % vocabSize;
  });
}
