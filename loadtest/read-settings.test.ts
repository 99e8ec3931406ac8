import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type CommandOptions, createCommand } from './command.js';
import { storyOpeningsFile } from './load/prompts.js';
import {
  checkOptionNames,
  describeCommand,
  readQuality,
  readSettings,
  readTargets,
} from './read-settings.js';
import { requestsFor } from './settings.js';

/** What the command line hands on. */
async function parse(
  ...args: string[]
): Promise<{ options: CommandOptions; serveOptions: readonly string[] }> {
  let parsed: { options: CommandOptions; serveOptions: readonly string[] } | null = null;
  const command = createCommand(async (options, serveOptions) => {
    parsed = { options, serveOptions };
  });
  await command.configureOutput({ writeErr: () => {} }).parseAsync(args, { from: 'user' });
  if (parsed === null) throw new Error('The action was not called.');
  return parsed;
}

const settingsOf = async (...args: string[]) => readSettings((await parse(...args)).options);

describe('the command line', () => {
  it('names the prompts from where it was called, as reports are published', async () => {
    expect((await settingsOf()).prompts).toBe(join('loadtest', 'story-openings.txt'));
    expect((await settingsOf('--prompts', storyOpeningsFile)).promptTexts?.length).toBeGreaterThan(5);
    expect((await settingsOf('--prompts', 'random')).prompts).toBe('random');
  });

  it('has defaults that measure both loops of HTTP', async () => {
    const settings = await settingsOf();
    expect(settings.loads.map(load => load.kind)).toEqual([
      'raw',
      ...Array.from({ length: 6 }, () => 'closed'),
    ]);
    expect(settings).toMatchObject({
      temperatures: [1],
      repetitions: 3,
      timeLimitMs: 300_000,
      warmupRequests: 32,
      ignoreEos: true,
      allowLoops: false,
      outputTokens: 128,
      inputTokens: null,
      timeoutMs: 120_000,
    });
  });

  it('reads lists, bounds and switches', async () => {
    const settings = await settingsOf(
      ...[
        '--concurrency',
        '1,8,8',
        '--rate',
        '0.5,2',
        '--temperature',
        '1,0.5',
        '--goodput',
        'ttft:500,tpot:50',
      ],
      ...['--no-ignore-eos', '--allow-loops', '--timeout', '0.5', '--raw-requests', '0'],
    );
    expect(settings.loads).toEqual([
      { kind: 'closed', concurrency: 1 },
      { kind: 'closed', concurrency: 8 },
      { kind: 'open', ratePerSecond: 0.5 },
      { kind: 'open', ratePerSecond: 2 },
    ]);
    expect(settings).toMatchObject({
      temperatures: [1, 0.5],
      goodput: { ttftMs: 500, perTokenMs: 50, e2eMs: null },
      ignoreEos: false,
      allowLoops: true,
      timeoutMs: 500,
    });
  });

  it('takes everything, however long it takes, with --full, but for what options say', async () => {
    expect(await settingsOf('--full')).toMatchObject({
      temperatures: [1, 0.5],
      repetitions: 5,
      timeLimitMs: null,
    });
    expect(
      await settingsOf('--full', '--temperature', '1', '--repetitions', '2', '--time-limit', '0.5'),
    ).toMatchObject({ temperatures: [1], repetitions: 2, timeLimitMs: 30_000 });
    expect((await settingsOf('--time-limit', '0')).timeLimitMs).toBeNull();
  });

  it('takes a rate without --concurrency for an open loop alone', async () => {
    const settings = await settingsOf('--rate', '4', '--raw-requests', '0');
    expect(settings.loads).toEqual([{ kind: 'open', ratePerSecond: 4 }]);
  });

  it('hands options after -- to the server', async () => {
    const { serveOptions } = await parse('--concurrency', '1', '--', '--threads', '2');
    expect(serveOptions).toEqual(['--threads', '2']);
  });

  it.each([
    [['--concurrency', '0'], 'whole number'],
    [['--concurrency', '1,x'], 'whole number'],
    [['--rate', '0'], 'above 0'],
    [['--temperature', '3'], 'from 0 to 2'],
    [['--goodput', 'ttft'], 'ttft:500'],
    [['--goodput', 'speed:5'], 'ttft:500'],
    [['--timeout', '0'], 'above 0'],
    [['--nonsense'], 'unknown option'],
  ])('refuses %j', async (args, words) => {
    await expect(parse(...args)).rejects.toThrow(words);
  });
});

describe('readTargets', () => {
  it('finds keys and processes for each target', async () => {
    const { options } = await parse(
      ...[
        '--target',
        'a=http://h:1#m',
        '--target',
        'b=http://h:2',
        '--api-key',
        'b=two',
        '--server-pid',
        'a=12',
      ],
    );
    expect(readTargets(options, { LOADTEST_API_KEY: 'env' })).toEqual([
      { name: 'a', baseUrl: 'http://h:1', model: 'm', apiKey: 'env', serverPid: 12 },
      { name: 'b', baseUrl: 'http://h:2', model: null, apiKey: 'two', serverPid: null },
    ]);
  });

  it('refuses a process id that is none', async () => {
    const { options } = await parse('--target', 'a=http://h:1', '--server-pid', 'nginx');
    expect(() => readTargets(options, {})).toThrow('--server-pid');
  });
});

it('refuses options for targets that there are not', async () => {
  const { options } = await parse('--brierlm', 'c=6');
  expect(() => checkOptionNames(options, ['a', 'b'])).toThrow(
    '--brierlm names no target: "c". Targets are a, b.',
  );
  expect(() => checkOptionNames(options, ['c'])).not.toThrow();
});

it('prefers what the command line says of a model to what its package says', async () => {
  const { options } = await parse('--brierlm', 'a=6:0.5');
  const evaluated = { brierLm: 1, brierLmError: null, flopsPerToken: { all: 5 } };
  expect(readQuality(options, 'a', evaluated)).toEqual({
    brierLm: 6,
    brierLmError: 0.5,
    flopsPerToken: { all: 5 },
  });
  expect(readQuality(options, 'b', evaluated)).toEqual(evaluated);
});

it('shows the command without keys', () => {
  const args = [
    '--target',
    'a=http://h#m',
    '--api-key',
    'sk-secret',
    '--api-key=a=sk-secret',
    '--out',
    'my report',
  ];
  expect(describeCommand(args)).toBe(
    "npm run loadtest -- --target a=http://h#m --api-key ... --api-key=... --out 'my report'",
  );
});

it('sends enough requests for the load to be what the row says', () => {
  const closed = { kind: 'closed' as const, concurrency: 32 };
  const open = { kind: 'open' as const, ratePerSecond: 2.5 };
  expect(requestsFor(closed, { requests: null, rawRequests: 0 })).toBe(128);
  expect(requestsFor({ kind: 'closed', concurrency: 1 }, { requests: null, rawRequests: 0 })).toBe(8);
  expect(requestsFor(closed, { requests: 10, rawRequests: 0 })).toBe(32);
  expect(requestsFor(open, { requests: null, rawRequests: 0 })).toBe(25);
  expect(requestsFor(open, { requests: 3, rawRequests: 0 })).toBe(3);
});
