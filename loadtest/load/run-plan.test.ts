/** Whole runs against servers of this process: a bad target is named, and the others are measured all the same. */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../clock.js';
import { unknownQuality } from '../measure/quality.js';
import { summarize } from '../measure/summary.js';
import { isClean } from '../report/report.js';
import type { RunSettings } from '../settings.js';
import type { Target } from '../targets/target.js';
import {
  after,
  answerWell,
  type Behaviour,
  drop,
  type FakeRequest,
  malform,
  sendJson,
  startFakeServer,
} from '../testing/fake-server.js';
import { makeSettings, makeTarget } from '../testing/settings.js';
import { type ProgressListener, runPlan } from './run-plan.js';

function listen() {
  const heard = { total: 0, done: 0, notes: [] as string[] };
  const progress: ProgressListener = {
    start(total) {
      heard.total = total;
    },
    point: () => {},
    advance(count) {
      heard.done += count;
    },
    note: sentence => void heard.notes.push(sentence),
  };
  return { heard, progress };
}

async function run(targets: readonly Target[], changes: Partial<RunSettings> = {}) {
  const settings = makeSettings(changes);
  const { heard, progress } = listen();
  const { targets: results, records } = await runPlan(targets, settings, systemClock, progress);
  const { rows, rawRows } = summarize(records, null);
  const clean = isClean({
    targets: results.map(result => ({ ...result, quality: unknownQuality })),
    rows,
    rawRows,
  });
  return { results, rows, rawRows, heard, clean };
}

/** Prompts and seeds of what was measured: probe and warm-up come first. */
function measured(bodies: readonly FakeRequest[], maxTokens: number, warmup: number) {
  return bodies
    .filter(body => body.max_tokens === maxTokens)
    .slice(warmup)
    .map(({ prompt, seed }) => ({ prompt, seed }));
}

describe('runPlan', () => {
  it('sends every target the same requests, under every kind of load', async () => {
    await using first = await startFakeServer(answerWell, { kind: 'calm' });
    await using second = await startFakeServer(answerWell, { kind: 'token' });
    const { results, rows, rawRows, heard, clean } = await run(
      [makeTarget('first', first.url), makeTarget('second', second.url)],
      {
        loads: [
          { kind: 'raw', connections: 2 },
          { kind: 'closed', concurrency: 2 },
          { kind: 'open', ratePerSecond: 1000 },
        ],
      },
    );
    expect(clean).toBe(true);
    expect(results.map(({ kind, problem }) => [kind, problem])).toEqual([
      ['calm', null],
      ['token', null],
    ]);
    expect(rows.map(row => [row.target, row.load.kind, row.requests, row.failed])).toEqual([
      [0, 'closed', 8, 0],
      [1, 'closed', 8, 0],
      [0, 'open', 8, 0],
      [1, 'open', 8, 0],
    ]);
    expect(rawRows.map(row => [row.target, row.requests, row.failed])).toEqual([
      [0, 8, 0],
      [1, 8, 0],
    ]);
    const requests = measured(first.bodies, 10, 1);
    expect(requests).toHaveLength(16);
    const byKey = (a: unknown, b: unknown) => JSON.stringify(a).localeCompare(JSON.stringify(b));
    expect(measured(second.bodies, 10, 1).sort(byKey)).toEqual(requests.sort(byKey));
    expect(heard).toMatchObject({ total: 48, done: 48, notes: [] });
  });

  it("cuts prompts to the asked number of tokens by the server's own count", async () => {
    await using server = await startFakeServer();
    const { rows } = await run([makeTarget('a', server.url)], { inputTokens: 50 });
    expect(rows[0]?.promptTokens).toBe(50);
  });

  it('sends random token ids, other ones in every run and the same ones to every target', async () => {
    await using first = await startFakeServer(answerWell, { kind: 'calm' });
    await using second = await startFakeServer(answerWell, { kind: 'token' });
    await run([makeTarget('a', first.url), makeTarget('b', second.url)], {
      prompts: 'random',
      inputTokens: 6,
      loads: [{ kind: 'closed', concurrency: 1 }],
    });
    const requests = measured(first.bodies, 10, 1);
    expect(new Set(requests.map(({ prompt }) => String(prompt))).size).toBe(8);
    expect(requests.every(({ prompt }) => prompt.length === 6)).toBe(true);
    expect(measured(second.bodies, 10, 1)).toEqual(requests);
  });

  it('takes the first listed model where the target names none, and any name where there is no list', async () => {
    await using listing = await startFakeServer(answerWell, { models: ['x', 'y'] });
    await using silent = await startFakeServer(answerWell, { models: null });
    const { results, clean } = await run([
      makeTarget('a', listing.url, { model: null }),
      makeTarget('b', silent.url, { model: 'anything' }),
    ]);
    expect(results.map(({ model }) => model)).toEqual(['x', 'anything']);
    expect(clean).toBe(true);
  });

  it.each([
    [1, 1],
    [3_600_000, 3],
    [null, 3],
  ])('with a time limit of %s ms makes %i of 3 repetitions', async (timeLimitMs, repetitions) => {
    await using server = await startFakeServer();
    const { rows, heard, clean } = await run([makeTarget('a', server.url)], { timeLimitMs, repetitions: 3 });
    expect(rows.map(row => [row.repetitions, row.requests])).toEqual([[repetitions, 4 * repetitions]]);
    expect(heard.done).toBe(heard.total);
    expect(clean).toBe(true);
  });

  it('does without usage in every event where a server refuses to send it', async () => {
    await using server = await startFakeServer((body, response, request) => {
      if (body.stream_options?.continuous_usage_stats) {
        sendJson(response, 400, { error: { message: 'Unknown parameter.' } });
      } else answerWell(body, response, request);
    });
    const { clean, rows } = await run([makeTarget('a', server.url)]);
    expect(clean).toBe(true);
    expect(rows[0]?.tokensPerChunk).toBeCloseTo(10 / 3, 6);
  });

  it.each<[string, (body: FakeRequest) => boolean, object, boolean]>([
    ['everything', () => false, { top_k: 0, min_p: 0 }, true],
    ['no top_k of 0', ({ top_k }) => top_k === 0, { top_k: -1, min_p: 0 }, true],
    ['no min_p', ({ min_p }) => min_p !== undefined, {}, true],
    [
      'no extension at all',
      body => body.top_k !== undefined || body.stream_options?.continuous_usage_stats === true,
      {},
      false,
    ],
  ])(
    'sends neutral sampling values to a server that takes %s',
    async (_, refuses, extensions, isContinuous) => {
      await using server = await startFakeServer((body, response, request) => {
        if (refuses(body)) sendJson(response, 400, { error: { message: 'Unknown parameter.' } });
        else answerWell(body, response, request);
      });
      const loads = [
        { kind: 'raw' as const, connections: 1 },
        { kind: 'closed' as const, concurrency: 1 },
      ];
      const { clean, results } = await run([makeTarget('a', server.url)], { loads });
      expect(clean).toBe(true);
      expect(results[0]?.samplingExtensions).toEqual(extensions);
      const timed = server.bodies.filter(body => !refuses(body) && body.max_tokens !== 4);
      expect(timed).toHaveLength(17);
      for (const { top_p, top_k, min_p, stream, stream_options } of timed) {
        expect({ top_p, top_k, min_p }).toEqual({ top_p: 1, ...extensions });
        if (stream) expect(stream_options?.continuous_usage_stats ?? false).toBe(isContinuous);
      }
    },
  );
});

describe('a target that', () => {
  const cases: readonly [string, Behaviour, { apiKey?: string; models?: string[] }, string][] = [
    ['refuses the key', answerWell, { apiKey: 'right' }, 'answered 401: Wrong API key.'],
    ['serves no such model', answerWell, { models: ['n', 'o'] }, 'serves no model m. It serves n, o.'],
    ['drops connections', drop, {}, 'closed the connection in the middle of the answer'],
    ['sends malformed events', malform, {}, 'not JSON'],
    ['is too slow', () => {}, {}, 'within the time limit of 1.5 s'],
    ['refuses every request', (_, response) => sendJson(response, 500, {}), {}, 'answered 500'],
  ];

  it.each(cases)('%s is named, and the other one is measured', async (_, behave, options, words) => {
    await using bad = await startFakeServer(behave, options);
    await using good = await startFakeServer();
    const targets = [makeTarget('bad', bad.url), makeTarget('good', good.url)];
    // Only a server that never answers waits for the limit.
    const { results, rows, heard, clean } = await run(targets, { timeoutMs: 1500 });
    expect(results[0]?.problem).toContain(words);
    expect(results[1]?.problem).toBeNull();
    expect(rows.map(({ target, requests, failed }) => [target, requests, failed])).toEqual([[1, 8, 0]]);
    expect(clean).toBe(false);
    expect(heard.notes).toEqual([expect.stringContaining(words)]);
    expect(heard.done).toBe(heard.total);
  });

  it('is down is named, and the other one is measured', async () => {
    const down = await startFakeServer();
    await down[Symbol.asyncDispose]();
    await using good = await startFakeServer();
    const { results, rows, clean } = await run([makeTarget('down', down.url), makeTarget('good', good.url)]);
    expect(results[0]?.problem).toContain('ECONNREFUSED');
    expect(rows).toHaveLength(1);
    expect(clean).toBe(false);
  });

  // Probe and warm-up take two requests.
  it('fails now and then keeps its row, with the failures in it', async () => {
    let served = 0;
    await using server = await startFakeServer((body, response, request) => {
      served++;
      (served > 2 && served % 3 === 0 ? drop : answerWell)(body, response, request);
    });
    const { results, rows, clean } = await run([makeTarget('a', server.url)], {
      requests: 9,
      repetitions: 1,
    });
    expect(results[0]?.problem).toBeNull();
    expect(rows[0]).toMatchObject({ requests: 9, failed: 3, failures: [{ code: 'dropped', count: 3 }] });
    expect(clean).toBe(false);
  });

  it('answers short requests wrongly shows how, and goes on', async () => {
    await using server = await startFakeServer((body, response, request) => {
      if (body.stream || body.seed % 2 === 0) answerWell(body, response, request);
      else sendJson(response, 200, { error: { message: 'Out of memory.' } });
    });
    const { rows, rawRows, results, clean } = await run([makeTarget('a', server.url)], {
      loads: [
        { kind: 'raw', connections: 1 },
        { kind: 'closed', concurrency: 1 },
      ],
      repetitions: 2,
    });
    expect(rawRows).toMatchObject([
      {
        requests: 8,
        failed: 4,
        failures: [{ code: 'error_in_stream', count: 4, example: expect.stringContaining('Out of memory.') }],
      },
    ]);
    expect(rows).toMatchObject([{ requests: 8, failed: 0 }]);
    expect(results[0]?.problem).toBeNull();
    expect(clean).toBe(false);
  });

  it('breaks down in the middle is given up, without sending the rest', async () => {
    await using server = await startFakeServer(after(6, drop));
    await using good = await startFakeServer();
    const targets = [makeTarget('a', server.url), makeTarget('good', good.url)];
    const { results, rows, heard } = await run(targets, { requests: 100, repetitions: 2 });
    expect(results[0]?.problem).toContain('the rest of its runs was left out');
    expect(server.bodies.length).toBeLessThan(20);
    expect(rows[0]?.failed).toBeGreaterThan(0);
    expect(rows[1]).toMatchObject({ target: 1, requests: 200, failed: 0 });
    expect(heard.done).toBe(heard.total);
  });
});
