/**
 * At which times the networks of flow and diffusion heads are asked, and what each step does with their answers.
 * Everything here is known when a model is converted.
 */

/** Steps of upstream's samplers, for packages that do not ask for another number. */
export const DEFAULT_HEAD_STEPS = { flow: 10, diffusion: 100 } as const;
/** Times on which both networks were trained: 0 to 999. */
export const TRAINED_TIMES = 1000;
/** Fewest and most steps: a flow step asks at two times; a respaced diffusion has a first and a last step. */
export const HEAD_STEP_LIMITS = {
  flow: { least: 1, most: TRAINED_TIMES / 2 },
  diffusion: { least: 2, most: TRAINED_TIMES },
} as const;

/**
 * The midpoint rule from 0 to 1: two times a step, its beginning and its middle, in thousandths rounded down. With 10
 * steps 0, 50, 100, 150, ... 950, upstream's.
 */
export function flowTimes(steps: number): number[] {
  return Array.from({ length: 2 * steps }, (_, half) => Math.floor((TRAINED_TIMES * half) / (2 * steps)));
}

/**
 * One step of a respaced diffusion: with the network's answer (eps, v) to x at `time`,
 * x <- x * state + eps * noise + exp(spread + spreadSlope * v) * N(0, 1), without the last term in the last step.
 */
export interface DiffusionStep {
  readonly time: number;
  readonly state: number;
  readonly noise: number;
  readonly spread: number;
  readonly spreadSlope: number;
}

/**
 * Respaced ancestral sampling in the order of its steps, from noise to data (paper: Nichol and Dhariwal 2021, cosine
 * schedule, learned range of variances; upstream: models/diffusion, as in OpenAI's improved-diffusion).
 */
export function diffusionSteps(count: number): DiffusionStep[] {
  const kept = cosineKept();
  const times = respacedTimes(count);
  const spaced = times.map((time, index) => {
    const before = index === 0 ? 1 : (kept[times[index - 1]!] as number);
    const after = kept[time] as number;
    const beta = 1 - after / before;
    return { time, before, after, beta, variance: (beta * (1 - before)) / (1 - after) };
  });
  return spaced
    .map(({ time, before, after, beta, variance }, index) => {
      const ofStart = (beta * Math.sqrt(before)) / (1 - after);
      const ofState = ((1 - before) * Math.sqrt(1 - beta)) / (1 - after);
      // The first variance is 0, so its logarithm is the second's.
      const least = Math.log(index === 0 ? spaced[1]!.variance : variance);
      const slope = (Math.log(beta) - least) / 4;
      return {
        time,
        state: ofStart * Math.sqrt(1 / after) + ofState,
        noise: -ofStart * Math.sqrt(1 / after - 1),
        spread: least / 2 + slope,
        spreadSlope: slope,
      };
    })
    .reverse();
}

/** Share of the signal's variance that is left at each trained time. */
function cosineKept(): number[] {
  const level = (part: number): number => Math.cos((((part + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  let kept = 1;
  return Array.from({ length: TRAINED_TIMES }, (_, time) => {
    const beta = Math.min(1 - level((time + 1) / TRAINED_TIMES) / level(time / TRAINED_TIMES), 0.999);
    kept *= 1 - beta;
    return kept;
  });
}

/** `count` of the trained times, the first and the last among them, evenly spaced and rounded as Python rounds. */
function respacedTimes(count: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    roundHalfToEven((index * (TRAINED_TIMES - 1)) / (count - 1)),
  );
}

function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
