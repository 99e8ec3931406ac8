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
    flopsPerToken: null,
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

it('holds a context against the same context of the last one, and leaves out what that lacks', () => {
  const at = (contextTokens: number, tokensPerSecond: number): BenchRow => ({
    ...row(1, 1, tokensPerSecond, 0.5),
    contextTokens,
  });
  const contexts = [
    report('calm', 1, [at(128, 300), at(512, 200), at(1024, 100)]),
    report('tokens', 1, [at(512, 50), at(128, 100)]),
  ];
  expect(JSON.parse(benchJson(contexts)).comparisons).toMatchObject([
    { context_tokens: 128, tokens_per_second_ratio: 3 },
    { context_tokens: 512, tokens_per_second_ratio: 4 },
  ]);
  expect(benchText(contexts)).toContain('calm over tokens, 1 threads, context 512, batch 1, T 1, N 1: 4.00');
});

it('shows the operations of a token, and a question mark where the shape is not known', () => {
  const roofline = { ...row(1, 1, 10, 0.5).roofline, flops: 8e9, flopsPerToken: 0.25e9 };
  const rows = [{ ...row(1, 1, 10, 0.5), roofline }, row(8, 1, 10, 0.5)];
  const { runs } = JSON.parse(benchJson([report('calm', 1, rows)]));
  expect(runs[0].rows).toMatchObject([{ flops_per_token: 0.25e9 }, { flops_per_token: null }]);
  const [titles, ...lines] = benchText([report('calm', 1, rows)])
    .split('\n')
    .slice(1)
    .map(line => line.trim().split(/ {2,}/));
  const perToken = titles!.indexOf('GFLOP/token');
  expect(lines.map(cells => cells[perToken])).toEqual(['0.25', '?']);
});

it('shows no graph times where none were taken', () => {
  const bare = report('calm', 1, [{ ...row(1, 1, 10, 0.5), graphs: null }]);
  const { runs } = JSON.parse(benchJson([bare]));
  expect(runs[0].rows[0]).toMatchObject({ raw_fused_ms: null, parts_ms: { backbone: null, fused: 100 } });
  expect(benchText([bare])).toMatch(/ - +- +- +- /);
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
    'calm over tokens, 1 threads, context 8, batch 1, T 1, N 1: 2.50 (rooflines 1.25)',
  );
  expect(benchText(reports.slice(0, 1))).not.toContain(' over ');
});
