import { expect, it } from 'vitest';
import { compareModels } from './compare-models.js';
import { benchJson, benchText } from './report.js';
import type { BenchReport, BenchRow } from './run-bench.js';

const graphs = { backboneMs: 1, headMs: 1, decoderMs: 1, fusedMs: 3 };

function row(batch: number, numCandidates: number, tokensPerSecond: number, share: number): BenchRow {
  const stepMs = 1000 / tokensPerSecond;
  const roofline = {
    ms: share * stepMs,
    bound: 'memory' as const,
    weightBytes: 1,
    cacheBytes: 1,
    flops: null,
  };
  const times = { stepMs, fusedMs: stepMs, drawMs: 0, otherMs: 0, drawsPerStep: 1 };
  const point = {
    batch,
    contextTokens: 8,
    steps: 4,
    temperature: numCandidates > 1 ? 0.5 : 1,
    numCandidates,
  };
  return { ...point, ...times, tokensPerSecond, graphs, weightBytesPerSecond: 1, roofline };
}

function report(model: string, threads: number, rows: readonly BenchRow[]): BenchReport {
  const rates = { readBytesPerSecond: 1, productFlopsPerSecond: 1, attentionFlopsPerSecond: 1 };
  return { model, weightType: 'int8', threads, stepWeightBytes: 1, rates, profiles: [], rows };
}

const reports = [
  report('calm', 1, [row(1, 1, 100, 0.5), row(8, 1, 600, 0.5)]),
  report('tokens', 1, [row(1, 1, 40, 0.25), row(8, 1, 200, 0.75)]),
  report('calm', 2, [row(1, 1, 150, 0.5), { ...row(1, 200, 30, 0.5), temperature: 0.5 }]),
  report('tokens', 2, [row(1, 1, 50, 0.5), { ...row(1, 1, 60, 0.5), temperature: 0.5 }]),
];

it('holds each model against the last one of the same threads, batch and temperature', () => {
  const compared = compareModels(reports).map(({ threads, batch, numCandidates, ratio, rooflineRatio }) => [
    threads,
    batch,
    numCandidates,
    ratio,
    rooflineRatio,
  ]);
  // Rooflines: 100/0.5 over 40/0.25, 600/0.5 over 200/0.75.
  expect(compared).toEqual([
    [1, 1, 1, 2.5, 1.25],
    [1, 8, 1, 3, expect.closeTo(4.5, 9)],
    [2, 1, 1, 3, expect.closeTo(3, 9)],
    [2, 1, 200, 0.5, expect.closeTo(0.5, 9)],
  ]);
  expect(compareModels(reports.slice(0, 1))).toEqual([]);
});

it('tells two packages of one model by their weights', () => {
  const types = ['fp32', 'int8'].map(weightType => ({
    ...report('calm', 1, [row(1, 1, 50, 0.5)]),
    weightType,
  }));
  expect(compareModels(types)).toMatchObject([{ model: 'calm (fp32)', baseline: 'calm (int8)', ratio: 1 }]);
});

it('shows all runs and their ratios', () => {
  const { runs, comparisons } = JSON.parse(benchJson(reports));
  expect(runs.map(({ model, threads }: BenchReport) => [model, threads])).toEqual([
    ['calm', 1],
    ['tokens', 1],
    ['calm', 2],
    ['tokens', 2],
  ]);
  expect(comparisons[0]).toMatchObject({ tokens_per_second_ratio: 2.5, roofline_ratio: 1.25 });
  expect(benchText(reports)).toContain(
    'calm over tokens, 1 threads, batch 1, T 1, N 1: 2.50 (rooflines 1.25)',
  );
  expect(benchText(reports.slice(0, 1))).not.toContain(' over ');
});
