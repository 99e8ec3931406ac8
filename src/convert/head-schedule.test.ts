import { expect, test } from 'vitest';
import { diffusionSteps, flowTimes } from './head-schedule.js';

test('ten flow steps ask at the times of the published sampler', () => {
  expect(flowTimes(10)).toEqual(Array.from({ length: 20 }, (_, i) => 50 * i));
  expect(flowTimes(3)).toEqual([0, 166, 333, 500, 666, 833]);
});

test('a hundred diffusion steps ask at the times of the published sampler, from noise to data', () => {
  const times = diffusionSteps(100).map(({ time }) => time);
  expect(times.slice(0, 6)).toEqual([999, 989, 979, 969, 959, 949]);
  expect(times.slice(-6)).toEqual([50, 40, 30, 20, 10, 0]);
  // 499.5 goes to the even neighbour, as Python rounds.
  expect(diffusionSteps(3).map(({ time }) => time)).toEqual([999, 500, 0]);
  expect(diffusionSteps(1000).map(({ time }) => time)).toEqual(
    Array.from({ length: 1000 }, (_, i) => 999 - i),
  );
});

test('with the true noise as its answer, each step goes to the posterior mean, in the posterior range', () => {
  // For x = sqrt(kept) z + sqrt(1 - kept) e, the mean of the step's law must be E[x_before | x, z].
  const cosine = (t: number): number => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  const kept = (time: number): number => {
    let product = 1;
    for (let t = 0; t <= time; t++) {
      product *= 1 - Math.min(0.999, 1 - cosine((t + 1) / 1000) / cosine(t / 1000));
    }
    return product;
  };
  const [z, e] = [0.7, -1.3];
  const steps = diffusionSteps(20);
  for (const [index, step] of steps.entries()) {
    const after = kept(step.time);
    const before = index + 1 < steps.length ? kept(steps[index + 1]!.time) : 1;
    const x = Math.sqrt(after) * z + Math.sqrt(1 - after) * e;
    const alpha = after / before;
    const wanted = (Math.sqrt(before) * (1 - alpha) * z + Math.sqrt(alpha) * (1 - before) * x) / (1 - after);
    expect(step.state * x + step.noise * e).toBeCloseTo(wanted, 9);
    // v = 1 is the widest law, beta; v = -1 the narrowest, the posterior's own.
    expect(Math.exp(2 * (step.spread + step.spreadSlope))).toBeCloseTo(1 - alpha, 9);
    const narrowest = Math.exp(2 * (step.spread - step.spreadSlope));
    if (before < 1) expect(narrowest).toBeCloseTo(((1 - alpha) * (1 - before)) / (1 - after), 9);
  }
});
