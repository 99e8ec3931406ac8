/** A report with everything in it that a report can hold, for tests of its formats. */
import { countFailures } from '../measure/records.js';
import { percentiles, spread } from '../measure/statistics.js';
import type { Row } from '../measure/summary.js';
import type { Report } from '../report/report.js';
import { makeSettings, makeTarget } from './settings.js';

const needSpread = (samples: readonly number[]) => spread(samples) ?? { median: 0, least: 0, most: 0 };

export function makeRow(changes: Partial<Row> = {}): Row {
  return {
    target: 0,
    load: { kind: 'closed', concurrency: 1 },
    temperature: 1,
    repetitions: 2,
    requests: 16,
    failed: 0,
    failures: [],
    tokensPerSecond: needSpread([400, 500, 600]),
    tokensPerSecondRuns: [400, 500, 600],
    requestsPerSecond: needSpread([4]),
    ttftMs: percentiles([10, 20, 30]),
    interChunkMs: percentiles([2, 3]),
    perTokenMs: percentiles([0.5]),
    e2eMs: percentiles([100, 120]),
    lagMs: percentiles([0]),
    promptTokens: 30,
    outputTokens: 128,
    tokensPerChunk: 3.9,
    draws: { draws: 32, chunks: 32 },
    goodput: { requestsPerSecond: 3.5, share: 0.875 },
    clientCores: 0.2,
    serverCores: 1.8,
    ...changes,
  };
}

export function makeReport(changes: Partial<Report> = {}): Report {
  const base = needSpread([250, 260]);
  return {
    command: 'npm run loadtest -- --concurrency 1,8',
    started: '2026-01-02T03:04:05.000Z',
    durationSeconds: 61,
    machine: {
      cpu: 'A CPU',
      cores: 4,
      memoryGib: 16,
      system: 'Linux',
      node: 'v24.0.0',
      version: '0.1.0',
      loadBefore: 0.1,
    },
    settings: makeSettings(),
    targets: [
      {
        target: makeTarget('calm', 'http://127.0.0.1:1'),
        model: 'stories',
        kind: 'calm',
        chunkSize: 4,
        serverVersion: '0.1.0, ONNX Runtime 1.2.3',
        samplingExtensions: { top_k: 0, min_p: 0 },
        problem: null,
        quality: { brierLm: 6.1, brierLmError: 0.2, flopsPerToken: { backbone: 2e6, head: 1e6 } },
      },
      {
        target: makeTarget('token', 'http://127.0.0.1:2'),
        model: 'stories "AR", 1',
        kind: 'token',
        chunkSize: 1,
        serverVersion: null,
        samplingExtensions: {},
        problem: null,
        quality: { brierLm: 6.3, brierLmError: null, flopsPerToken: { all: 4e6 } },
      },
      {
        target: makeTarget('down', 'http://127.0.0.1:3'),
        model: null,
        kind: null,
        chunkSize: null,
        serverVersion: null,
        samplingExtensions: null,
        problem: 'Cannot reach <it>: nothing listens | there.',
        quality: { brierLm: null, brierLmError: null, flopsPerToken: {} },
      },
    ],
    rows: [
      makeRow(),
      makeRow({ target: 1, tokensPerSecond: base, tokensPerSecondRuns: [250, 260] }),
      makeRow({ load: { kind: 'closed', concurrency: 8 } }),
      makeRow({
        target: 1,
        load: { kind: 'closed', concurrency: 8 },
        failed: 2,
        failures: countFailures([
          { code: 'dropped', message: 'It closed the connection.' },
          { code: 'dropped', message: 'It closed another one.' },
        ]),
      }),
      makeRow({ load: { kind: 'open', ratePerSecond: 2.5 }, goodput: null, serverCores: null }),
    ],
    rawRows: [
      {
        target: 0,
        connections: 8,
        temperature: 1,
        requests: 100,
        failed: 1,
        failures: countFailures([{ code: 'repetition_loop', message: 'The answer ends in a loop.' }]),
        requestsPerSecond: needSpread([90, 100]),
        tokensPerSecond: needSpread([720, 800]),
        latencyP50Ms: 9,
        latencyP99Ms: 20,
        clientCores: 0.3,
        serverCores: 1.2,
      },
    ],
    comparisons: [
      {
        target: 0,
        baseline: 1,
        load: { kind: 'closed', concurrency: 1 },
        temperature: 1,
        ratio: { median: 2, least: 1.6, most: 2.3 },
      },
    ],
    warnings: ['The machine was not idle.'],
    ...changes,
  };
}
