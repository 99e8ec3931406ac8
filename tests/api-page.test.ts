/** The table of docs/api.md that says where behaviours are tested. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

interface Row {
  readonly number: number;
  readonly files: readonly string[];
  readonly tests: readonly string[];
}

/** What stands between backquotes. */
const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text!);

const rows: Row[] = read('docs/api.md')
  .split('\n')
  .flatMap(line => {
    const cells = line.split(' | ');
    const number = /^\| (\d+)$/.exec(cells[0] ?? '')?.[1];
    if (number === undefined || cells.length !== 4) return [];
    return [{ number: Number(number), files: quoted(cells[2]!), tests: quoted(cells[3]!) }];
  });

it('has thirty rows, each with a test', () => {
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  for (const { tests, files } of rows) expect(Math.min(tests.length, files.length)).toBeGreaterThan(0);
});

it.each(rows)('names tests that exist: row $number', ({ files, tests }) => {
  const sources = files.map(read);
  for (const test of tests) {
    const source = sources.find(text => text.includes(`'${test}'`));
    expect(source, test).toBeDefined();
  }
  for (const [index, text] of sources.entries()) {
    expect(
      tests.some(test => text.includes(`'${test}'`)),
      files[index],
    ).toBe(true);
  }
});
