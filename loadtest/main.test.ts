/** The command as users call it, in a process of its own: exit codes, and what goes to which stream. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { startOwnServer } from './targets/own-server.js';
import { startFakeServer } from './testing/fake-server.js';
import { runCommand } from './testing/run-command.js';

const folder = mkdtempSync(join(tmpdir(), 'loadtest-main-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) => runCommand(folder, args);

const quick = ['--concurrency', '2', '--requests', '4', '--repetitions', '1', '--output-tokens', '10'];

describe('npm run loadtest', () => {
  it('prints one JSON object and nothing else on stdout, and ends with 0', async () => {
    await using server = await startFakeServer();
    const { code, stdout } = await run('--target', `a=${server.url}#m`, ...quick, '--json');
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.ok).toBe(true);
    expect(report.rows).toHaveLength(1);
    expect(report.rows[0]).toMatchObject({ target: 'a', model: 'm', concurrency: 2, requests: 4, failed: 0 });
    expect(report.raw[0]).toMatchObject({ requests: 100, failed: 0 });
  });

  it.each([
    [['--target', 'nonsense'], '--target must look like'],
    [['--model', '/nowhere/at/all'], '/nowhere/at/all'],
    [['--concurrency', 'x'], 'whole number'],
  ])('ends with 2 and a sentence for %j', async (args, words) => {
    const { code, stdout, stderr } = await run(...args);
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  it('explains itself', async () => {
    const { code, stdout } = await run('--help');
    expect(code).toBe(0);
    for (const option of ['--target', '--rate', '--goodput', '--brierlm', 'Examples:'])
      expect(stdout).toContain(option);
  });
});

describe('startOwnServer', () => {
  const program = join(folder, 'server.js');

  it('finds the address in the line that says ready, and ends the server', async () => {
    writeFileSync(
      program,
      `process.stderr.write('loading ...\\n');
       process.stdout.write('Serving a (CALM, 2 tokens a step) and b (token model) on http://127.0.0.1:4321 (ready in 0.1 s).\\n');
       process.on('SIGTERM', () => process.exit(0));
       setInterval(() => {}, 1000);`,
    );
    const server = await startOwnServer(['--threads', '1'], program);
    expect(server.baseUrl).toBe('http://127.0.0.1:4321');
    expect(() => process.kill(server.pid, 0)).not.toThrow();
    await server[Symbol.asyncDispose]();
    expect(() => process.kill(server.pid, 0)).toThrow();
  });

  it('repeats the last words of a server that does not start', async () => {
    writeFileSync(program, `process.stderr.write('calm: There is no such model.\\n'); process.exit(1);`);
    await expect(startOwnServer([], program)).rejects.toThrow(
      'did not start (exit code 1): calm: There is no such model.',
    );
  });
});
