import { describe, expect, it } from 'vitest';
import type { CompletionTimes } from '../client/completion-call.js';
import type { TargetResult } from '../load/run-plan.js';
import { makeTarget } from '../testing/settings.js';
import { chooseBaseline, compareRows } from './comparison.js';
import { countFailures, type RunRecord } from './records.js';
import { percentiles, quantile, spread } from './statistics.js';
import { summarize } from './summary.js';

function times(changes: Partial<CompletionTimes> = {}): CompletionTimes {
  return {
    ttftMs: 10,
    e2eMs: 100,
    gapsMs: [20, 40],
    msPerToken: 5,
    lagMs: 0,
    promptTokens: 8,
    tokens: 10,
    chunks: 3,
    draws: null,
    ...changes,
  };
}

interface RunOptions {
  readonly target?: number;
  readonly repetition?: number;
  readonly answers?: readonly CompletionTimes[];
  readonly failed?: number;
  readonly wallMs?: number;
  readonly concurrency?: number;
}

function run(options: RunOptions = {}): RunRecord {
  const {
    target = 0,
    repetition = 0,
    answers = [times()],
    failed = 0,
    wallMs = 1000,
    concurrency = 1,
  } = options;
  const failure = { code: 'dropped' as const, message: 'Gone.' };
  return {
    kind: 'streamed',
    point: { target, load: { kind: 'closed', concurrency }, temperature: 1, repetition },
    wallMs,
    answers,
    failures: countFailures(Array.from({ length: failed }, () => failure)),
    requests: answers.length + failed,
    cpu: { clientCores: 0.25, serverCores: null },
  };
}

describe('statistics', () => {
  it('interpolates quantiles as numpy does', () => {
    // numpy.quantile([1, 2, 3, 4, 10], share)
    const expected = [
      [0, 1],
      [0.25, 2],
      [0.5, 3],
      [0.9, 7.6],
      [0.95, 8.8],
      [1, 10],
    ] as const;
    for (const [share, value] of expected) expect(quantile([1, 2, 3, 4, 10], share)).toBeCloseTo(value, 12);
    expect(quantile([], 0.5)).toBeNull();
  });

  it('sorts by number and leaves nothing out', () => {
    expect(percentiles([100, 9, 20])).toMatchObject({ p50: 20, mean: 43, max: 100 });
    expect(percentiles([])).toEqual({ p50: null, p90: null, p95: null, p99: null, mean: null, max: null });
    expect(spread([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 });
  });
});

describe('summarize', () => {
  it('takes the median rate of the repetitions and latencies over all requests', () => {
    const { rows } = summarize(
      [
        run({ answers: [times({ ttftMs: 10 }), times({ ttftMs: 20 })] }),
        run({ repetition: 1, answers: [times({ ttftMs: 30 })], wallMs: 100 }),
        run({ repetition: 2, answers: [times({ ttftMs: 40, tokens: 30, chunks: 1 })], wallMs: 1000 }),
      ],
      null,
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      requests: 4,
      failed: 0,
      tokensPerSecond: { median: 30, least: 20, most: 100 },
      tokensPerSecondRuns: [20, 100, 30],
      ttftMs: { p50: 25, max: 40 },
      interChunkMs: { p50: 30 },
      tokensPerChunk: 6,
      outputTokens: 15,
      promptTokens: 8,
      goodput: null,
      clientCores: 0.25,
      serverCores: null,
    });
  });

  it('counts failed requests, and only right answers as speed', () => {
    const { rows } = summarize([run({ failed: 3 }), run({ repetition: 1, answers: [], failed: 1 })], null);
    expect(rows[0]).toMatchObject({
      requests: 5,
      failed: 4,
      failures: [{ code: 'dropped', count: 4, example: 'Gone.' }],
      tokensPerSecondRuns: [10, 0],
    });
  });

  it('adds up the draws of the answers that tell of them', () => {
    const { rows } = summarize(
      [
        run({ answers: [times({ draws: { draws: 60, chunks: 1 } }), times()] }),
        run({ repetition: 1, answers: [times({ draws: { draws: 90, chunks: 4 } })] }),
        run({ target: 1 }),
      ],
      null,
    );
    expect(rows.map(({ draws }) => draws)).toEqual([{ draws: 150, chunks: 5 }, null]);
  });

  it('counts what kept every bound as goodput, and failed requests as not', () => {
    const answers = [
      times(),
      times({ ttftMs: 51 }),
      times({ msPerToken: 6 }),
      times({ e2eMs: 101 }),
      times({ ttftMs: 50, msPerToken: null }),
    ];
    const { rows } = summarize([run({ answers, failed: 5, wallMs: 500 })], {
      ttftMs: 50,
      perTokenMs: 5,
      e2eMs: 100,
    });
    expect(rows[0]?.goodput).toEqual({ requestsPerSecond: 4, share: 0.2 });
  });

  it('keeps loads and targets apart, in the order of the loads', () => {
    const { rows } = summarize(
      [
        run({ target: 1 }),
        run({ target: 0 }),
        run({ target: 0, concurrency: 8 }),
        run({ target: 1, concurrency: 8 }),
      ],
      null,
    );
    expect(rows.map(({ target, load }) => [target, load.kind === 'closed' && load.concurrency])).toEqual([
      [0, 1],
      [1, 1],
      [0, 8],
      [1, 8],
    ]);
  });
});

describe('comparison', () => {
  const result = (name: string, kind: string | null): TargetResult => ({
    target: makeTarget(name, 'http://h'),
    model: name,
    kind,
    chunkSize: null,
    serverVersion: null,
    samplingExtensions: {},
    problem: null,
  });

  it('pairs repetitions, so that a slow spell of the machine cancels out', () => {
    const { rows } = summarize(
      [
        run({ target: 0, wallMs: 1000 }),
        run({ target: 1, wallMs: 2000 }),
        run({ target: 0, repetition: 1, wallMs: 2500 }),
        run({ target: 1, repetition: 1, wallMs: 10_000 }),
        run({ target: 0, repetition: 2, wallMs: 10_000 }),
        run({ target: 1, repetition: 2, wallMs: 10_000 }),
      ],
      null,
    );
    expect(compareRows(rows, 1)).toEqual([
      {
        target: 0,
        baseline: 1,
        load: { kind: 'closed', concurrency: 1 },
        temperature: 1,
        // The medians, 4 and 1 tokens/s, would say 4.
        ratio: { median: 2, least: 1, most: 4 },
      },
    ]);
  });

  it('says nothing where one of the two did not run', () => {
    const { rows } = summarize([run({ target: 0 }), run({ target: 1, concurrency: 2 })], null);
    expect(compareRows(rows, 1)).toEqual([]);
  });

  it('compares with the named target, else the token model, else the last one', () => {
    const targets = [result('a', 'token'), result('b', 'calm'), result('c', null)];
    expect(chooseBaseline(targets, 'b')).toBe(1);
    expect(chooseBaseline(targets, null)).toBe(0);
    expect(chooseBaseline(targets.slice(1), null)).toBe(1);
    expect(chooseBaseline(targets.slice(0, 1), null)).toBeNull();
  });
});
