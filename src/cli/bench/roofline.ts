/** The least time that a decode step can take on this machine: what it must read, and what it must compute. */
import { flopsPerToken, stepFlops } from '../../evaluate/flops.js';
import { shapeOfManifest } from '../../evaluate/model-shape.js';
import type { Manifest } from '../../runtime/manifest.js';
import { stepWeightBytes } from './weight-traffic.js';

/** What the machine can do, measured in the same run. */
export interface MachineRates {
  readonly readBytesPerSecond: number;
  /** Of products of weights: int8 for quantized packages, float32 for others. */
  readonly productFlopsPerSecond: number;
  /** Of attention, which is float32 on the CPU whatever the weights are. */
  readonly attentionFlopsPerSecond: number;
}

/** One step of `batch` rows. */
export interface StepCost {
  readonly weightBytes: number;
  /** Keys and values that the step reads. */
  readonly cacheBytes: number;
  /** Null for a model whose shape is not known. */
  readonly flops: number | null;
  /** For each token that it generates, at the candidates that it draws. Null as above. */
  readonly flopsPerToken: number | null;
}

export interface Roofline extends StepCost {
  /** Bytes over the read rate, and operations over their rates: the larger of the two. */
  readonly ms: number;
  readonly bound: 'memory' | 'arithmetic';
}

/**
 * A step of `batch` rows over `contextSteps` steps of cache, with `draws` candidates a row. Weights count once a step,
 * though rounds of further candidates read those of head and decoder again: the bound is a lower one.
 */
export function rooflineOf(
  manifest: Manifest,
  rates: MachineRates,
  { batch, contextSteps, draws }: { batch: number; contextSteps: number; draws: number },
): Roofline {
  const { layers, kv_heads, head_size } = manifest.backbone;
  const elementBytes = manifest.activation_type === 'fp16' ? 2 : 4;
  const weightBytes = stepWeightBytes(manifest);
  const cacheBytes = 2 * layers * kv_heads * head_size * contextSteps * batch * elementBytes;
  const memoryMs = ((weightBytes + cacheBytes) / rates.readBytesPerSecond) * 1000;
  const shape = shapeOfManifest(manifest);
  if (shape === null) {
    return { weightBytes, cacheBytes, flops: null, flopsPerToken: null, ms: memoryMs, bound: 'memory' };
  }
  const step = stepFlops(shape, contextSteps);
  const perCandidate = step.headPerCandidate + step.decoderPerCandidate;
  const products = batch * (step.backbone + step.headOnce + draws * perCandidate);
  const attention = batch * step.attention;
  const arithmeticMs =
    (products / rates.productFlopsPerSecond + attention / rates.attentionFlopsPerSecond) * 1000;
  return {
    weightBytes,
    cacheBytes,
    flops: products + attention,
    flopsPerToken: flopsPerToken(shape, { contextSteps, candidates: draws }),
    ms: Math.max(memoryMs, arithmeticMs),
    bound: memoryMs >= arithmeticMs ? 'memory' : 'arithmetic',
  };
}
