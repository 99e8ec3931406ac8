/** The tables of docs/sampling.md that a command prints by exact sums are what it prints. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

it('has the tables of scripts/short-coin-law.js', () => {
  const page = readFileSync(join(root, 'docs/sampling.md'), 'utf8');
  const printed = execFileSync(process.execPath, [join(root, 'scripts/short-coin-law.js')], {
    encoding: 'utf8',
  });
  const tables = printed.trim().split('\n\n');
  expect(tables).toHaveLength(2);
  for (const table of tables) expect(page).toContain(table);
});
