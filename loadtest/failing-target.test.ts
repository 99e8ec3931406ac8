/** A target that fails, beside one that works: the report names it and its reason, and the exit code is 1. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  after,
  type Behaviour,
  drop,
  type FakeServer,
  malform,
  sendJson,
  startFakeServer,
} from './testing/fake-server.js';
import { runCommand } from './testing/run-command.js';

const folder = mkdtempSync(join(tmpdir(), 'loadtest-failing-'));
afterAll(() => rmSync(folder, { recursive: true }));

const quick =
  '--concurrency 2 --requests 4 --repetitions 1 --warmup 1 --output-tokens 10 --raw-requests 0'.split(' ');

interface JsonReport {
  readonly ok: boolean;
  readonly targets: readonly { readonly problem: string | null }[];
  readonly rows: readonly { readonly target: string; readonly failed: number }[];
}

/** A run against the server at `url`, which is named bad, and one that works. */
async function runBesideGood(url: string, behave?: Behaviour) {
  await using good = await startFakeServer();
  const targets = ['--target', `bad=${url}#m`, '--target', `good=${good.url}#m`];
  const limit = behave === silent ? ['--timeout', '4'] : [];
  const { code, stdout } = await runCommand(folder, [...targets, ...quick, ...limit, '--json']);
  const { ok, targets: results, rows } = JSON.parse(stdout) as JsonReport;
  return {
    code,
    ok,
    problems: results.map(({ problem }) => problem),
    bad: rows.filter(({ target }) => target === 'bad'),
    good: rows.filter(({ target }) => target === 'good'),
  };
}

const silent: Behaviour = () => {};
const refuseKey: Behaviour = (_, response) =>
  sendJson(response, 401, { error: { message: 'That key has expired.' } });
const missModel: Behaviour = (_, response) =>
  sendJson(response, 404, { error: { message: 'The model m was unloaded.', code: 'model_not_found' } });

const startDown = async () => {
  const server = await startFakeServer();
  await server[Symbol.asyncDispose]();
  return server;
};

describe('a target that fails at its first request', () => {
  it.each<[string, () => Promise<FakeServer>, string, Behaviour?]>([
    ['is down', startDown, 'nothing listens there (ECONNREFUSED)'],
    [
      'refuses the key',
      () => startFakeServer(undefined, { apiKey: 'right' }),
      'answered 401: Wrong API key.',
    ],
    ['drops connections mid-stream', () => startFakeServer(drop), 'in the middle of the answer'],
    ['sends malformed events', () => startFakeServer(malform), 'An event is not JSON'],
    ['is slower than the limit', () => startFakeServer(silent), 'within the time limit of 4 s', silent],
    ['serves no such model', () => startFakeServer(undefined, { models: ['n'] }), 'no model m. It serves n.'],
  ])(
    'because it %s is named with its reason, and the other one is measured',
    async (_, start, reason, behave) => {
      await using server = await start();
      const { code, ok, problems, bad, good } = await runBesideGood(server.url, behave);
      expect(code).toBe(1);
      expect(ok).toBe(false);
      expect(problems).toEqual([expect.stringContaining(reason), null]);
      expect(bad).toEqual([]);
      expect(good).toMatchObject([{ requests: 4, failed: 0 }]);
    },
  );
});

// The first request, one to warm up, and two that count.
const answersBefore = 4;

describe('a target that works at first', () => {
  it.each<[string, Behaviour, string, string]>([
    ['refuses the key', refuseKey, 'key_refused', 'That key has expired.'],
    ['drops connections', drop, 'dropped', 'in the middle of the answer'],
    ['sends malformed events', malform, 'malformed', 'An event is not JSON'],
    ['is slower than the limit', silent, 'timed_out', 'within the time limit of 4 s'],
    ['has no such model', missModel, 'model_not_found', 'The model m was unloaded.'],
  ])('and then %s keeps its row, with the reason in it', async (_, behave, failure, reason) => {
    await using server = await startFakeServer(after(answersBefore, behave));
    const { code, ok, problems, bad, good } = await runBesideGood(server.url, behave);
    expect(code).toBe(1);
    expect(ok).toBe(false);
    expect(problems).toEqual([null, null]);
    const failures = [{ code: failure, count: 2, example: expect.stringContaining(reason) }];
    expect(bad).toMatchObject([{ requests: 4, failed: 2, failures }]);
    expect(good).toMatchObject([{ requests: 4, failed: 0 }]);
  });
});

it('is named in the report that people read, and in its folder', async () => {
  await using down = await startDown();
  await using breaking = await startFakeServer(after(answersBefore, drop));
  await using good = await startFakeServer();
  const servers = { down, breaking, good };
  const targets = Object.entries(servers).flatMap(([name, { url }]) => ['--target', `${name}=${url}#m`]);
  const { code, stdout, stderr } = await runCommand(folder, [...targets, ...quick, '--out', 'out']);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^- \*\*down\*\*: .*\*\*Failed:\*\* Cannot reach .*ECONNREFUSED/m);
  expect(stdout).toMatch(
    /^\| breaking \| 2 at a time \| 1 \| dropped \| 2 \| .*in the middle of the answer/m,
  );
  expect(stdout).toMatch(/^\| good \| 2 at a time \| 1 \| 4 \| 0 \|/m);
  expect(stderr).toContain('Wrote out/report.html');
  expect(readFileSync(join(folder, 'out', 'report.md'), 'utf8')).toBe(stdout);
});
