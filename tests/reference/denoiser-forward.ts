/** Flow and diffusion heads in float64, step by step as upstream's PyTorch modules read. */
import type { CalmDiffusionConfig, CalmFlowConfig } from '../../src/convert/config.js';
import { add, type Parameters, silu, type Vector } from './forward-layers.js';

const TRAINED_STEPS = 1000;

/** FlowTransformer's sampler: the midpoint rule from noise at 0 to data at 1. */
export function flowLatent(
  parameters: Parameters,
  { headBlocks, headSteps }: CalmFlowConfig,
  hidden: Vector,
  noise: Vector,
): Vector {
  const net = parameters.below('generative_head.net.');
  const size = 1 / headSteps;
  let x: Vector = noise;
  for (let step = 0; step < headSteps; step++) {
    const time = step * size;
    const first = denoise(net, headBlocks, x, wholeTime(time), hidden);
    const middle = x.map((value, i) => value + (size / 2) * first[i]!);
    const second = denoise(net, headBlocks, middle, wholeTime(time + size / 2), hidden);
    x = x.map((value, i) => value + size * second[i]!);
  }
  return x;
}

/** int(time * 1000), where float32 rounds 0.15 * 1000 and its like to the whole number. */
function wholeTime(time: number): number {
  return Math.floor(time * TRAINED_STEPS + 1e-6);
}

/** DiffusionTransformer's sampler: p_sample_loop of a SpacedDiffusion. Noise: the start, then what each step adds. */
export function diffusionLatent(
  parameters: Parameters,
  { headBlocks, headSteps, latentSize }: CalmDiffusionConfig,
  hidden: Vector,
  noise: Vector,
): Vector {
  const net = parameters.below('generative_head.net.');
  const { times, betas, products } = spacedSchedule(headSteps);
  const posteriorVariance = betas.map(
    (beta, i) => (beta * (1 - (products[i - 1] ?? 1))) / (1 - products[i]!),
  );
  let x: Vector = noise.slice(0, latentSize);
  for (let i = headSteps - 1; i >= 0; i--) {
    const answer = denoise(net, headBlocks, x, times[i]!, hidden);
    const product = products[i]!;
    const before = products[i - 1] ?? 1;
    const start = x.map(
      (value, d) => Math.sqrt(1 / product) * value - Math.sqrt(1 / product - 1) * answer[d]!,
    );
    const ofStart = (betas[i]! * Math.sqrt(before)) / (1 - product);
    const ofState = ((1 - before) * Math.sqrt(1 - betas[i]!)) / (1 - product);
    const mean = x.map((value, d) => ofStart * start[d]! + ofState * value);
    if (i === 0) return mean;
    const added = noise.subarray((headSteps - i) * latentSize);
    const [least, most] = [Math.log(posteriorVariance[i]!), Math.log(betas[i]!)];
    x = mean.map((value, d) => {
      const part = (answer[latentSize + d]! + 1) / 2;
      return value + Math.exp((part * most + (1 - part) * least) / 2) * added[d]!;
    });
  }
  throw new Error('a diffusion has at least one step');
}

function spacedSchedule(steps: number): { times: number[]; betas: number[]; products: number[] } {
  const cosine = (t: number): number => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  const stride = (TRAINED_STEPS - 1) / (steps - 1);
  const kept = new Set(Array.from({ length: steps }, (_, i) => Math.round(i * stride)));
  const schedule = { times: [] as number[], betas: [] as number[], products: [] as number[] };
  let product = 1;
  for (let t = 0; t < TRAINED_STEPS; t++) {
    product *= 1 - Math.min(0.999, 1 - cosine((t + 1) / TRAINED_STEPS) / cosine(t / TRAINED_STEPS));
    if (!kept.has(t)) continue;
    schedule.times.push(t);
    schedule.betas.push(1 - product / (schedule.products.at(-1) ?? 1));
    schedule.products.push(product);
  }
  return schedule;
}

/** The network at one state and time. */
function denoise(net: Parameters, blocks: number, state: Vector, time: number, hidden: Vector): Vector {
  const features = Float64Array.from({ length: 256 }, (_, i) => {
    const angle = time * Math.exp((-Math.log(10_000) * (i % 128)) / 128);
    return i < 128 ? Math.cos(angle) : Math.sin(angle);
  });
  const embedded = net.linear('time_embed.mlp.2', silu(net.linear('time_embed.mlp.0', features)));
  const y = silu(add(embedded, net.linear('cond_embed', hidden)));
  let x = net.linear('input_proj', state);
  for (let index = 0; index < blocks; index++) {
    const block = net.below(`res_blocks.${index}.`);
    const [shift, scale, gate] = thirds(block.linear('adaLN_modulation.1', y), x.length);
    const inner = silu(block.linear('mlp.0', modulate(block.layerNorm('in_ln', x), shift!, scale!)));
    const update = block.linear('mlp.2', inner);
    x = x.map((value, i) => value + gate![i]! * update[i]!);
  }
  const [shift, scale] = thirds(net.linear('final_layer.adaLN_modulation.1', y), x.length);
  return net.linear('final_layer.linear', modulate(plainNorm(x), shift!, scale!));
}

function thirds(values: Vector, size: number): Vector[] {
  return Array.from({ length: values.length / size }, (_, i) => values.subarray(i * size, (i + 1) * size));
}

function modulate(x: Vector, shift: Vector, scale: Vector): Vector {
  return x.map((value, i) => value * (1 + scale[i]!) + shift[i]!);
}

function plainNorm(x: Vector): Vector {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  return x.map(value => (value - mean) / Math.sqrt(variance + 1e-6));
}
