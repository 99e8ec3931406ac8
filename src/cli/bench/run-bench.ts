/** All points of a benchmark in one process, the models of a point one after the other, so that ratios mean something. */
import { Engine } from '../../runtime/engine.js';
import { loadModel } from '../../runtime/load-model.js';
import type { ModelPackage } from '../../runtime/open-package.js';
import type { OrtEnvironment } from '../../runtime/ort/environment.js';
import type { Device } from '../../runtime/ort/memory.js';
import { measureReadBandwidth } from '../../runtime/ort/read-bandwidth.js';
import type { ModelOptions } from '../model-options.js';
import { measureArithmeticRate } from './arithmetic-rate.js';
import { type BenchPoint, type EngineRate, measureEngine } from './engine-rate.js';
import { GraphTimer, type GraphTimes } from './graph-times.js';
import { type BenchAxes, type PackagePoint, pointsOf } from './points.js';
import { profileStep, type StepProfile } from './profile.js';
import { type MachineRates, type Roofline, rooflineOf } from './roofline.js';
import { stepWeightBytes } from './weight-traffic.js';

export interface BenchOptions extends BenchAxes, Omit<ModelOptions, 'threads'> {
  /** Also time each graph alone. */
  readonly graphTimes: boolean;
  /** Also record where the time of a step goes. */
  readonly profile?: boolean | undefined;
}

/** One point's figures. */
export interface BenchRow extends EngineRate, BenchPoint {
  /** Null where they were not asked for. */
  readonly graphs: GraphTimes | null;
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
  /** One for each context and batch size, where they were asked for. */
  readonly profiles: readonly StepProfile[];
  readonly rows: readonly BenchRow[];
}

/** Measures all packages with the environment's threads; `onProgress` hears a line before every point. */
export async function runBench(
  environment: OrtEnvironment,
  sources: readonly ModelPackage[],
  options: BenchOptions,
  onProgress: (line: string) => void,
): Promise<BenchReport[]> {
  const { threads } = environment;
  onProgress(`read bandwidth and arithmetic rates with ${threads} threads`);
  const before = await measureRates(environment, sources);
  const points: MeasuredPoint[] = [];
  for (const { source, point } of pointsOf(sources, options)) {
    onProgress(`${source.manifest.name}: ${pointText(point)}`);
    points.push({ source, point, ...(await measurePoint(environment, source, options, point)) });
  }
  onProgress('the rates again');
  const rates = fastest(before, await measureRates(environment, sources));
  const reports: BenchReport[] = [];
  for (const source of sources) {
    reports.push({
      model: source.manifest.name,
      weightType: `${source.manifest.weight_type} weights, ${source.manifest.activation_type} activations`,
      threads,
      stepWeightBytes: stepWeightBytes(source.manifest),
      rates: rates(source),
      profiles: options.profile ? await profiles(environment, source, options, onProgress) : [],
      rows: points.filter(point => point.source === source).map(point => rowOf(point, rates(source))),
    });
  }
  return reports;
}

function pointText({ contextTokens, batch, temperature, numCandidates }: BenchPoint): string {
  return `context ${contextTokens}, batch ${batch}, temperature ${temperature}, ${numCandidates} candidates`;
}

/** A point's figures before the machine's rates are known. */
interface MeasuredPoint extends PackagePoint {
  readonly graphs: GraphTimes | null;
  readonly rate: EngineRate;
}

function rowOf({ source, point, graphs, rate }: MeasuredPoint, rates: MachineRates): BenchRow {
  const weightBytesPerSecond = stepWeightBytes(source.manifest) / (rate.stepMs / 1000);
  const contextSteps = Math.ceil(point.contextTokens / source.manifest.chunk_size) + point.steps / 2;
  const cost = { batch: point.batch, contextSteps, draws: rate.drawsPerStep };
  const roofline = rooflineOf(source.manifest, rates, cost);
  return { ...point, ...rate, graphs, weightBytesPerSecond, roofline };
}

type RatesOf = (source: ModelPackage) => MachineRates;

/** Neighbours on the machine only slow a probe down, so the faster of two is nearer to what it can do. */
function fastest(one: RatesOf, other: RatesOf): RatesOf {
  return source => {
    const [a, b] = [one(source), other(source)];
    return {
      readBytesPerSecond: Math.max(a.readBytesPerSecond, b.readBytesPerSecond),
      productFlopsPerSecond: Math.max(a.productFlopsPerSecond, b.productFlopsPerSecond),
      attentionFlopsPerSecond: Math.max(a.attentionFlopsPerSecond, b.attentionFlopsPerSecond),
    };
  };
}

/** What the machine can do for each package: all are held against one measurement. */
async function measureRates(environment: OrtEnvironment, sources: readonly ModelPackage[]): Promise<RatesOf> {
  const isQuantized = ({ manifest }: ModelPackage): boolean =>
    manifest.weight_type === 'int8' || manifest.weight_type === 'int4';
  const readBytesPerSecond = await measureReadBandwidth({ threads: environment.threads });
  const float = await measureArithmeticRate(environment, 'float32');
  const integer = sources.some(isQuantized) ? await measureArithmeticRate(environment, 'int8') : float;
  return source => ({
    readBytesPerSecond,
    attentionFlopsPerSecond: float,
    productFlopsPerSecond: isQuantized(source) ? integer : float,
  });
}

async function profiles(
  environment: OrtEnvironment,
  source: ModelPackage,
  options: BenchOptions,
  onProgress: (line: string) => void,
): Promise<StepProfile[]> {
  const measured: StepProfile[] = [];
  for (const contextTokens of options.context) {
    for (const batch of options.batch) {
      onProgress(`profile at context ${contextTokens}, batch ${batch}`);
      const rows = { batch, contextTokens, runs: options.steps };
      measured.push(await profileStep(environment, source, 'cpu', rows));
    }
  }
  return measured;
}

async function measurePoint(
  environment: OrtEnvironment,
  source: ModelPackage,
  options: BenchOptions,
  point: BenchPoint,
): Promise<{ graphs: GraphTimes | null; rate: EngineRate }> {
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
    // The engine's rows grow as it runs: halfway through, attention has its mean length.
    const contextChunks = promptChunks + Math.ceil(point.steps / 2);
    const graphs = options.graphTimes
      ? await timeGraphs(environment, source, device, { ...point, contextChunks })
      : null;
    return { rate, graphs };
  } finally {
    await engine.close();
  }
}

/** Each graph alone, for rows whose caches hold `contextChunks` chunks. */
async function timeGraphs(
  environment: OrtEnvironment,
  source: ModelPackage,
  device: Device,
  { batch, contextChunks, steps }: { batch: number; contextChunks: number; steps: number },
): Promise<GraphTimes> {
  const timer = new GraphTimer(environment, source, device);
  try {
    const rows = await timer.prepare(batch, contextChunks);
    try {
      return await rows.measure(steps);
    } finally {
      rows.close();
    }
  } finally {
    timer.close();
  }
}
