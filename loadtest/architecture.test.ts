/** The load generator measures over HTTP alone: it must be able to stand beside any server. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, it } from 'vitest';

const root = import.meta.dirname;
const files = readdirSync(root, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
  .map(entry => join(entry.parentPath, entry.name));
const sources = new Map(files.map(file => [file, readFileSync(file, 'utf8')]));

function importsOf(file: string): string[] {
  const specifiers = [...(sources.get(file) ?? '').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)];
  return specifiers.map(match => resolve(dirname(file), (match[1] as string).replace(/\.js$/, '.ts')));
}

function findCycle(): string[] | null {
  const finished = new Set<string>();
  const visit = (file: string, trail: readonly string[]): string[] | null => {
    if (trail.includes(file))
      return [...trail.slice(trail.indexOf(file)), file].map(name => relative(root, name));
    if (finished.has(file)) return null;
    for (const next of importsOf(file)) {
      const cycle = visit(next, [...trail, file]);
      if (cycle) return cycle;
    }
    finished.add(file);
    return null;
  };
  for (const file of files) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return null;
}

it('imports nothing of the server', () => {
  expect(files.length).toBeGreaterThan(30);
  const outside = files.flatMap(file => importsOf(file).filter(target => !target.startsWith(`${root}/`)));
  expect(outside).toEqual([]);
});

it('has no import cycle', () => {
  expect(findCycle()).toBeNull();
});

it('keeps files short enough to read', () => {
  expect(files.filter(file => (sources.get(file) ?? '').split('\n').length > 300)).toEqual([]);
});
