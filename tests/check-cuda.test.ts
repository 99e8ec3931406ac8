/** `npm run check:cuda` where there is no GPU: it says so, and fails only where it was told that one must be there. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const script = join(import.meta.dirname, '..', 'scripts', 'check-cuda.js');
const folder = mkdtempSync(join(tmpdir(), 'calm-check-cuda-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

function run(...args: string[]) {
  // Hides a GPU that may be there.
  const env = { ...process.env, CUDA_VISIBLE_DEVICES: '-1' };
  return spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', env });
}

describe('npm run check:cuda without a GPU', () => {
  it('prints a table that says so, and the reason on standard error', () => {
    const { status, stdout, stderr } = run();
    expect(stdout).toContain('| verify, bench, soak |  | not run: no GPU | - |');
    expect(stderr).toMatch(/^No GPU can be used: /);
    expect(status).toBe(0);
  });

  it('ends with 1 where a GPU is required, and with 2 for a device that does not exist', () => {
    expect(run('--require-device').status).toBe(1);
    expect(run('--device', 'tpu').status).toBe(2);
  });

  it('writes the table between the marks of a page, as often as it is called, and nothing else', () => {
    const page = join(folder, 'page.md');
    writeFileSync(page, 'before\n<!-- check-cuda -->\nold\n<!-- /check-cuda -->\nafter\n');
    expect(run('--write', page).status).toBe(0);
    const once = readFileSync(page, 'utf8');
    expect(once).toMatch(
      /^before\n<!-- check-cuda -->\n`npm run check:cuda`: [\s\S]*not run: no GPU[\s\S]*\n<!-- \/check-cuda -->\nafter\n$/,
    );
    expect(once).not.toContain('old');
    run('--write', page);
    expect(readFileSync(page, 'utf8')).toBe(once);
  });
});
