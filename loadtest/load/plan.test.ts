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

  it('changes who begins a load from one repetition to the next, whatever the number of loads', () => {
    for (const loads of [[closed(1)], [closed(1), closed(2)], [closed(1), closed(2), closed(4)]]) {
      const points = planPoints({ targetCount: 2, loads, temperatures: [1], repetitions: 2 });
      const first = (repetition: number) =>
        points.find(point => point.load === loads[0] && point.repetition === repetition)?.target;
      expect([first(0), first(1)]).toEqual([0, 1]);
    }
  });

  it('does everything once before it does anything again, so that a run can end early', () => {
    const points = planPoints({
      targetCount: 2,
      loads: [closed(1), closed(2)],
      temperatures: [1, 0.5],
      repetitions: 2,
    });
    expect(points.map(({ repetition }) => repetition)).toEqual([...Array(8).fill(0), ...Array(8).fill(1)]);
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
