/** The comparison of engines from end to end: `calm bench` on shipped models beside programs that print known figures. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'calm-compare-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function program(name: string, body: string): string {
  const file = join(folder, name);
  writeFileSync(file, `#!/usr/bin/env node\n${body}\n`);
  chmodSync(file, 0o755);
  return file;
}

function compare(...args: string[]) {
  const script = join(root, 'scripts/compare-engines.js');
  return spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', cwd: root });
}

const models = ['--model', 'stories-k2', '--baseline', 'stories-baseline'];
const reader = program('reader', 'console.log("threads 1 read 10.0 GB/s\\nthreads 2 read 1000.0 GB/s");');
const llama = program(
  'llama-batched-bench',
  `const given = name => Number(process.argv[process.argv.indexOf(name) + 1]);
   if (process.argv.includes('--version')) console.error('version: 42 (abc)');
   else console.log('log\\n' + JSON.stringify({ pp: given('-npp'), pl: given('-npl'), speed_tg: 100 * given('-npl') }));`,
);

it('puts the engines side by side, in rounds that turn round, with ratios of each sitting', () => {
  const json = join(folder, 'report.json');
  const points = [
    '--context',
    '16',
    '--batch',
    '1',
    '--baseline-only',
    '16:2',
    '--rounds',
    '2',
    '--steps',
    '2',
  ];
  const others = ['--c-reader', reader, '--llama-batched-bench', llama, '--gguf', 'm.gguf', '--json', json];
  const { status, stdout, stderr } = compare(...models, ...points, ...others);
  expect(status, stderr).toBe(0);
  const engines = (round: number) =>
    [...stderr.matchAll(new RegExp(`^round ${round} of 2, context 16, batch (\\d): (\\S+)`, 'gm'))].map(
      ([, batch, engine]) => `${batch} ${engine}`,
    );
  expect(engines(1)).toEqual(['1 C', '1 calm', '1 llama.cpp', '2 C', '2 calm']);
  expect(engines(2)).toEqual(engines(1).toReversed());

  const { machine, summary, rounds } = JSON.parse(readFileSync(json, 'utf8'));
  expect(machine).toMatchObject({ threads: 2, steps: 2, llama_cpp: '42 (abc)' });
  const [one, two] = summary.points;
  const sittings = rounds.flat().filter(({ batch }: { batch: number }) => batch === 1);
  const rates = (key: string): number[] =>
    sittings.map((sitting: Record<string, { tokens_per_second: number }>) => sitting[key]!.tokens_per_second);
  const [calm, token] = [rates('calm'), rates('token')];
  // The two models are not mixed up where a round runs backwards.
  for (const { calm, token } of sittings) {
    expect([calm.model, token.model]).toEqual(['stories-k2', 'stories-baseline']);
  }
  expect(one.llama.tokens_per_second).toEqual({ median: 100, least: 100, most: 100 });
  expect(one.ratios.token_over_llama.most).toBeCloseTo(Math.max(...token) / 100, 9);
  const ratios = calm.map((rate, round) => rate / token[round]!);
  expect(one.ratios.calm_over_token.median).toBeCloseTo((ratios[0]! + ratios[1]!) / 2, 9);
  expect(two).toMatchObject({ batch: 2, calm: null, llama: null });
  expect(summary.steps_over_one_row).toMatchObject([{ context: 16, batch: 2 }]);
  // The reader's figure for two threads, the default, and not for one.
  expect(summary.probe_over_c_reader.c_reader_bytes_per_second.median).toBe(1e12);
  expect(summary.probe_over_c_reader.ratio.most).toBeLessThan(1);

  expect(stdout).toMatch(/^\| 16 \| 1 \| \d+ \(\d+ to \d+\) \| .* \| 100 \(100 to 100\) \|$/m);
  expect(stdout).toMatch(/^\| 16 \| 2 \| - \| - \| \d+ \(\d+ to \d+\) \| .* \| - \|$/m);
  expect(stdout).toContain('llama-batched-bench -m m.gguf -c 256 ');
}, 600_000);

it('says in a sentence what is wrong with an option or a program', () => {
  const refused = compare(...models, '--rounds', 'two');
  expect(refused.stderr).toBe(
    'compare-engines: --rounds takes whole numbers from 1 to 9999999. Given: two.\n',
  );
  expect(refused.status).toBe(2);
  expect(compare('--model', 'stories-k2').stderr).toContain('--baseline is missing');
  expect(compare(...models, '--gguf', 'm.gguf').stderr).toContain('belong together');
  const silent = compare(...models, '--c-reader', program('silent', ''));
  expect(silent.stderr).toContain('printed no line such as "threads 2 read 41.3 GB/s".');
  expect(silent.status).toBe(1);
});
