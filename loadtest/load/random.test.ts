import { describe, expect, it } from 'vitest';
import { createRandom, poissonArrivalsMs, shuffle } from './random.js';

describe('createRandom', () => {
  it('repeats itself for a seed and differs between seeds', () => {
    const draw = (seed: number) => Array.from({ length: 4 }, createRandom(seed));
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(1)).not.toEqual(draw(1 + 2 ** 32));
  });

  it('is uniform: 16 bins of 64,000 draws, chi-squared below the 1e-4 quantile for 15 degrees', () => {
    const random = createRandom(42);
    const bins = new Array<number>(16).fill(0);
    for (let draw = 0; draw < 64_000; draw++) {
      const bin = Math.floor(random() * 16);
      bins[bin] = (bins[bin] ?? 0) + 1;
    }
    const chiSquared = bins.reduce((sum, count) => sum + (count - 4000) ** 2 / 4000, 0);
    expect(chiSquared).toBeLessThan(44.3);
  });
});

describe('poissonArrivalsMs', () => {
  it('ascends, with exponential gaps of the asked mean', () => {
    const arrivals = poissonArrivalsMs(20_000, 50, createRandom(7));
    const gaps = arrivals.map((time, index) => time - (arrivals[index - 1] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0);
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    // Standard error 0.14 ms; a wrong pass in 1e4 seeds. Half of exponential gaps lie below mean * ln 2.
    expect(Math.abs(mean - 20)).toBeLessThan(0.55);
    const short = gaps.filter(gap => gap < 20 * Math.LN2).length / gaps.length;
    expect(Math.abs(short - 0.5)).toBeLessThan(0.014);
  });
});

describe('shuffle', () => {
  it('keeps all items and leaves the list alone', () => {
    const items = [1, 2, 3, 4, 5, 6, 7, 8];
    const shuffled = shuffle(items, createRandom(1));
    expect(shuffled).not.toEqual(items);
    expect([...shuffled].sort((a, b) => a - b)).toEqual(items);
  });
});
