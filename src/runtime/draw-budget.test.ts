import { describe, expect, test } from 'vitest';
import { DrawBudget, DrawShares } from './draw-budget.js';

/** Runs one step's rounds over rows that want so many candidates in all, `round` at most at a time. */
function drawStep(total: number, needs: readonly number[], round = Number.POSITIVE_INFINITY): number[] {
  const shares = new DrawShares(total, needs.length);
  const drawn = needs.map(() => 0);
  for (;;) {
    const wanted = needs.map((need, row) => Math.min(need - drawn[row]!, round));
    const grants = shares.grant(wanted);
    if (grants.every(count => count === 0)) return drawn;
    for (const [row, count] of grants.entries()) {
      expect(count).toBeLessThanOrEqual(wanted[row]!);
      drawn[row]! += count;
    }
  }
}

describe('shares of a step', () => {
  test('all that is wanted, where it is there', () => {
    expect(drawStep(100, [3, 0, 40])).toEqual([3, 0, 40]);
    expect(drawStep(100, [3, 0, 40], 5)).toEqual([3, 0, 40]);
  });

  test('a row that wants much at once leaves as much to one that wants little at a time', () => {
    const [greedy, modest] = [drawStep(64, [1000, 1000])[0]!, drawStep(64, [1000, 1000], 3)[1]!];
    expect([greedy, modest]).toEqual([32, 32]);
  });

  test('what one row does not need goes to the others', () => {
    expect(drawStep(64, [4, 1000, 1000])).toEqual([4, 30, 30]);
    expect(drawStep(64, [4, 1000, 0], 3)).toEqual([4, 60, 0]);
  });

  test.each([1, 7, Number.POSITIVE_INFINITY])('every open row gets its share, in rounds of %d', round => {
    for (let world = 0; world < 200; world += 1) {
      const needs = Array.from(
        { length: 1 + (world % 16) },
        (_, row) => (world * 7919 + row * row * 31) % 90,
      );
      const open = needs.filter(need => need > 0).length;
      const total = Math.max(open, (world * 13) % 257);
      const drawn = drawStep(total, needs, round);
      const share = open === 0 ? 0 : Math.floor(total / open);
      for (const [row, need] of needs.entries()) {
        expect(drawn[row]).toBeGreaterThanOrEqual(Math.min(need, share));
        expect(drawn[row]).toBeLessThanOrEqual(need);
      }
      const sum = drawn.reduce((a, b) => a + b, 0);
      expect(sum).toBeLessThanOrEqual(total);
      // What stays unused is less than one candidate for each row that is still open.
      const stillOpen = needs.filter((need, row) => drawn[row]! < need).length;
      if (stillOpen > 0) expect(total - sum).toBeLessThan(stillOpen);
    }
  });
});

describe('the candidates of a step', () => {
  test('are a fixed number, or one for each open row', () => {
    expect(new DrawBudget(10).total(3)).toBe(10);
    expect(new DrawBudget(10).total(16)).toBe(16);
  });

  test('take eight times as long as a decode call, by what was measured, within bounds', () => {
    const budget = new DrawBudget();
    expect(budget.total(1)).toBe(32);
    budget.decodeTook(10);
    budget.drawTook(20, 40);
    expect(budget.total(1)).toBe(160);
    for (let i = 0; i < 200; i += 1) budget.decodeTook(1);
    expect(budget.total(1)).toBe(32);
    for (let i = 0; i < 200; i += 1) budget.decodeTook(1e6);
    expect(budget.total(1)).toBe(4096);
  });

  test.each([
    { decodeMs: 1, usual: 80, allDraw: 320 },
    { decodeMs: 20, usual: 1600, allDraw: 2500 },
    { decodeMs: 40, usual: 3200, allDraw: 3200 },
  ])('take longer where every row draws, up to a quarter of a second: $decodeMs ms a decode', point => {
    const budget = new DrawBudget();
    budget.decodeTook(point.decodeMs);
    budget.drawTook(10, 100);
    expect([budget.total(1), budget.total(1, true)]).toEqual([point.usual, point.allDraw]);
  });
});
