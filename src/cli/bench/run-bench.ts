/** All points of a benchmark, one after the other in one process, so that their ratios mean something. */
import { Engine } from '../../runtime/engine.js';
import { loadModel } from '../../runtime/load-model.js';
import type { ModelPackage } from '../../runtime/open-package.js';
import type { OrtEnvironment } from '../../runtime/ort/environment.js';
import { measureReadBandwidth } from '../../runtime/ort/read-bandwidth.js';
import type { ModelOptions } from '../model-options.js';
import { measureArithmeticRate } from './arithmetic-rate.js';
import { type BenchPoint, type EngineRate, measureEngine } from './engine-rate.js';
import { GraphTimer, type GraphTimes } from './graph-times.js';
import { profileStep, type StepProfile } from './profile.js';
import { type MachineRates, type Roofline, rooflineOf } from './roofline.js';
import { stepWeightBytes } from './weight-traffic.js';

export interface BenchOptions extends ModelOptions {
  readonly batch: readonly number[];
  /** Tokens. */
  readonly context: number;
  readonly steps: number;
  readonly temperature: readonly number[];
  readonly numCandidates: readonly number[];
  /** Also record where the time of a step goes. */
  readonly profile?: boolean | undefined;
}

/** One point's figures. */
export interface BenchRow extends EngineRate, BenchPoint {
  readonly graphs: GraphTimes;
  /** Weight bytes of a step over its time. */
  readonly weightBytesPerSecond: number;
  readonly roofline: Roofline;
}

export interface BenchReport {
  readonly model: string;
  readonly weightType: string;
  readonly threads: number;
  readonly stepWeightBytes: number;
  readonly rates: MachineRates;
  /** One a batch size, where they were asked for. */
  readonly profiles: readonly StepProfile[];
  readonly rows: readonly BenchRow[];
}

/** Measures; `onProgress` hears a line before every point. */
export async function runBench(
  environment: OrtEnvironment,
  source: ModelPackage,
  options: BenchOptions,
  onProgress: (line: string) => void,
): Promise<BenchReport> {
  onProgress('read bandwidth and arithmetic rates');
  const rates = await measureRates(environment, source);
  const weightBytes = stepWeightBytes(source.manifest);
  const rows: BenchRow[] = [];
  for (const point of pointsOf(source, options)) {
    const { batch, temperature, numCandidates } = point;
    onProgress(`batch ${batch}, temperature ${temperature}, ${numCandidates} candidates`);
    const { graphs, rate } = await measurePoint(environment, source, options, point);
    const weightBytesPerSecond = weightBytes / (rate.stepMs / 1000);
    const contextSteps = Math.ceil(point.contextTokens / source.manifest.chunk_size) + point.steps / 2;
    const roofline = rooflineOf(source.manifest, rates, { batch, contextSteps, draws: rate.drawsPerStep });
    rows.push({ ...point, ...rate, graphs, weightBytesPerSecond, roofline });
  }
  return {
    model: source.manifest.name,
    weightType: `${source.manifest.weight_type} weights, ${source.manifest.activation_type} activations`,
    threads: environment.threads,
    stepWeightBytes: weightBytes,
    rates,
    profiles: options.profile ? await profiles(environment, source, options, onProgress) : [],
    rows,
  };
}

async function measureRates(environment: OrtEnvironment, source: ModelPackage): Promise<MachineRates> {
  const { weight_type: weightType } = source.manifest;
  const isQuantized = weightType === 'int8' || weightType === 'int4';
  const readBytesPerSecond = await measureReadBandwidth({ threads: environment.threads });
  const attentionFlopsPerSecond = await measureArithmeticRate(environment, 'float32');
  return {
    readBytesPerSecond,
    attentionFlopsPerSecond,
    productFlopsPerSecond: isQuantized
      ? await measureArithmeticRate(environment, 'int8')
      : attentionFlopsPerSecond,
  };
}

async function profiles(
  environment: OrtEnvironment,
  source: ModelPackage,
  options: BenchOptions,
  onProgress: (line: string) => void,
): Promise<StepProfile[]> {
  const contextChunks = Math.ceil(options.context / source.manifest.chunk_size);
  const measured: StepProfile[] = [];
  for (const batch of options.batch) {
    onProgress(`profile at batch ${batch}`);
    measured.push(
      await profileStep(environment, source, 'cpu', { batch, contextChunks, runs: options.steps }),
    );
  }
  return measured;
}

function pointsOf(source: ModelPackage, options: BenchOptions): BenchPoint[] {
  const { context: contextTokens, steps } = options;
  // A token model draws one token a step whatever the number of candidates.
  const candidates = source.manifest.kind === 'calm' ? options.numCandidates : [1];
  return options.batch.flatMap(batch =>
    options.temperature.flatMap(temperature =>
      (temperature === 1 ? [1] : candidates).map(numCandidates => ({
        batch,
        contextTokens,
        steps,
        temperature,
        numCandidates,
      })),
    ),
  );
}

async function measurePoint(
  environment: OrtEnvironment,
  source: ModelPackage,
  options: BenchOptions,
  point: BenchPoint,
): Promise<{ graphs: GraphTimes; rate: EngineRate }> {
  const { chunk_size: chunkSize, bos_token_id: bosTokenId } = source.manifest;
  const promptChunks = Math.ceil(point.contextTokens / chunkSize);
  const { model, device } = loadModel(environment, source, {
    device: options.device,
    slots: point.batch,
    maxModelLen: options.maxModelLen,
    kvCacheMemoryBytes: options.kvCacheMemory,
  });
  // All prompts in one step, so that all rows begin to decode together.
  const engine = new Engine(model, {
    bosTokenId,
    prefillChunksPerStep: Math.max(3, point.batch * promptChunks),
  });
  try {
    const rate = await measureEngine(engine, model, point);
    const timer = new GraphTimer(environment, source, device);
    // The engine's rows grow as it runs: halfway through, attention has its mean length.
    try {
      const rows = await timer.prepare(point.batch, promptChunks + Math.ceil(point.steps / 2));
      try {
        return { rate, graphs: await rows.measure(point.steps) };
      } finally {
        rows.close();
      }
    } finally {
      timer.close();
    }
  } finally {
    await engine.close();
  }
}
