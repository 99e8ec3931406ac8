/** One line of a verification: how far something is from what was recorded, and whether that is near enough. */
import type { Manifest } from '../../runtime/manifest.js';

export interface Check {
  readonly name: string;
  /** Floats: largest difference over the recorded standard deviation. Token ids: share that differs. */
  readonly error: number;
  readonly tolerance: number;
  readonly ok: boolean;
}

/** How far a package may be from the recorded float32 outputs. */
export interface Tolerances {
  readonly floats: number;
  /** Share of token ids that may differ, where each is decoded from recorded inputs. */
  readonly tokens: number;
  /** Whether a rollout must be the recorded one: a single difference changes all that follows. */
  readonly isRolloutExact: boolean;
  /** Whether fused and split graphs must roll out the same text: not in float16, where rounding depends on fusion. */
  readonly isFusionExact: boolean;
}

/**
 * float32 packages compute what PyTorch computed. float16 rounds to 11 bits. Quantized weights are another model
 * close by: the bounds only catch what is broken (a wrong scale or a transposed block is off by 2 or more, and
 * decodes almost no token right), and the error itself is what a reader should look at.
 */
export function tolerancesOf(manifest: Manifest): Tolerances {
  const isFloat32 = manifest.activation_type === 'fp32';
  const isExact = isFloat32 && manifest.weight_type === 'fp32';
  return { ...nearness(manifest), isRolloutExact: isExact, isFusionExact: isFloat32 };
}

function nearness(manifest: Manifest): { floats: number; tokens: number } {
  switch (manifest.weight_type) {
    case 'fp32':
      return manifest.activation_type === 'fp32'
        ? { floats: 1e-4, tokens: 0 }
        : { floats: 2e-2, tokens: 0.02 };
    case 'fp16':
      return { floats: 2e-2, tokens: 0.02 };
    case 'int8':
      return { floats: 0.25, tokens: 0.15 };
    case 'int4':
      return { floats: 1.5, tokens: 0.7 };
  }
}

export function checkFloats(
  name: string,
  actual: ArrayLike<number>,
  expected: Float32Array,
  tolerance: number,
): Check {
  const error = relativeError(actual, expected);
  return { name, error, tolerance, ok: error <= tolerance };
}

export function checkIds(
  name: string,
  actual: readonly number[],
  expected: readonly number[],
  tolerance: number,
): Check {
  const different = expected.filter((id, index) => id !== actual[index]).length;
  const error = actual.length === expected.length ? different / expected.length : 1;
  return { name, error, tolerance, ok: error <= tolerance };
}

/** max |actual - expected| / std(expected); infinite where a value is not a number or the lengths differ. */
export function relativeError(actual: ArrayLike<number>, expected: Float32Array): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  let sum = 0;
  let squares = 0;
  for (let index = 0; index < expected.length; index += 1) {
    const value = expected[index]!;
    const difference = Math.abs(actual[index]! - value);
    if (!(difference <= largest)) largest = difference;
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    sum += value;
    squares += value * value;
  }
  const mean = sum / expected.length;
  return largest / Math.sqrt(squares / expected.length - mean * mean);
}
