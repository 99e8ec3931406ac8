import { describe, expect, it } from 'vitest';
import { makeRow } from '../testing/report.js';
import { generationCosts } from './cost.js';
import { unknownQuality } from './quality.js';

const parts = { backbone: 10, attention: 5, head: 3, decoder: 2 };
const target = (flopsPerToken: Record<string, number>) => ({ quality: { ...unknownQuality, flopsPerToken } });

describe('generationCosts', () => {
  it('multiplies head and decoder by the draws a chunk of each temperature, over all loads', () => {
    const rows = [
      makeRow({ temperature: 1, draws: { draws: 100, chunks: 100 } }),
      makeRow({ temperature: 0.5, draws: { draws: 600, chunks: 10 } }),
      makeRow({
        temperature: 0.5,
        load: { kind: 'open', ratePerSecond: 1 },
        draws: { draws: 2700, chunks: 30 },
      }),
      makeRow({ target: 1, temperature: 0.5, draws: { draws: 7, chunks: 7 } }),
    ];
    expect(generationCosts([target(parts), target({ backbone: 20, head: 8 })], rows)).toEqual([
      { target: 0, temperature: 1, drawsPerChunk: 1, flopsPerToken: parts },
      {
        target: 0,
        temperature: 0.5,
        drawsPerChunk: 82.5,
        flopsPerToken: { backbone: 10, attention: 5, head: 247.5, decoder: 165 },
      },
      { target: 1, temperature: 0.5, drawsPerChunk: 1, flopsPerToken: { backbone: 20, head: 8 } },
    ]);
  });

  it('takes one candidate, and says no temperature, where no draws or no parts are known', () => {
    const unknown = { temperature: null, drawsPerChunk: null };
    const untold = [makeRow({ temperature: 0.5, draws: null })];
    expect(generationCosts([target(parts)], untold)).toEqual([
      { target: 0, ...unknown, flopsPerToken: parts },
    ]);
    expect(generationCosts([target(parts)], [])).toEqual([{ target: 0, ...unknown, flopsPerToken: parts }]);
    const told = [makeRow({ temperature: 0.5, draws: { draws: 60, chunks: 1 } })];
    expect(generationCosts([target({ all: 9 })], told)).toEqual([
      { target: 0, ...unknown, flopsPerToken: { all: 9 } },
    ]);
  });

  it('has nothing to say of targets whose FLOPs nobody gave', () => {
    expect(generationCosts([target({})], [makeRow()])).toEqual([]);
  });
});
