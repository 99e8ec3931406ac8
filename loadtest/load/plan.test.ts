import { describe, expect, it } from 'vitest';
import { planPoints } from './plan.js';

const closed = (concurrency: number) => ({ kind: 'closed' as const, concurrency });

describe('planPoints', () => {
  it('lets targets take turns and changes who begins', () => {
    const points = planPoints({ targetCount: 2, loads: [closed(1)], temperatures: [1], repetitions: 3 });
    expect(points.map(({ target, repetition }) => [target, repetition])).toEqual([
      [0, 0],
      [1, 0],
      [1, 1],
      [0, 1],
      [0, 2],
      [1, 2],
    ]);
  });

  it('changes who begins between loads too, where there is one repetition', () => {
    const points = planPoints({
      targetCount: 3,
      loads: [closed(1), closed(2), closed(4)],
      temperatures: [1],
      repetitions: 1,
    });
    expect(points.map(({ target }) => target)).toEqual([0, 1, 2, 1, 2, 0, 2, 0, 1]);
  });

  it('holds every combination once', () => {
    const points = planPoints({
      targetCount: 2,
      loads: [closed(1), { kind: 'open', ratePerSecond: 3 }],
      temperatures: [1, 0.5],
      repetitions: 2,
    });
    expect(new Set(points.map(point => JSON.stringify(point))).size).toBe(16);
    expect(points).toHaveLength(16);
  });
});
