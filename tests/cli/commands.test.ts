/** The built command line as a user meets it: exit codes, one sentence on standard error, help to work from. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const program = join(import.meta.dirname, '../../bin/calm.js');

function calm(...args: string[]) {
  const { CALM_DEBUG: _, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    encoding: 'utf8',
    env,
  });
  return { status, stdout, stderr };
}

describe('calm', () => {
  it.each<[string[], number, RegExp]>([
    [['serve', '--model', '/no/such/model'], 1, /^calm: There is no model "\/no\/such\/model"/],
    [['serve', '--port', 'http'], 2, /whole number from 0 to 65535/],
    [['serve', '--device', 'tpu'], 2, /Allowed choices are auto, cpu, cuda/],
    [['serve', '--modell', 'x'], 2, /unknown option '--modell'/],
    [
      ['serve', '--model', 'a', '--served-model-name', 'b', '--served-model-name', 'c'],
      2,
      /once for each model/,
    ],
    [['generate', '--temperature', 'hot'], 2, /number from 0 to 2/],
    [['generate', '--max-tokens', '-1'], 2, /whole number from 0 up/],
    [['generate', '--prompt', 'a', '--prompt-ids', '1'], 2, /not both/],
    [['generate', '--prompt-ids', 'one,two'], 2, /token ids with commas/],
    [['frobnicate'], 2, /unknown command 'frobnicate'/],
  ])('%j ends with %d and one sentence', (args, code, sentence) => {
    const { status, stdout, stderr } = calm(...args);
    expect(stderr).toMatch(sentence);
    expect(stderr).toMatch(/^calm: /);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stderr.trim().split('\n').length).toBeLessThanOrEqual(3);
    expect([status, stdout]).toEqual([code, '']);
  });

  it('shows help for every command, with examples', () => {
    const { status, stdout } = calm('--help');
    expect(status).toBe(0);
    for (const name of ['serve', 'health', 'generate', 'convert', 'verify', 'eval', 'bench', 'synth']) {
      expect(stdout).toContain(`  ${name} `);
      expect(calm(name, '--help').stdout).toMatch(/Examples:\n {2}calm /);
    }
  });

  it('prints its version', () => {
    expect(calm('--version').stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
