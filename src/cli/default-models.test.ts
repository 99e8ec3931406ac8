import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { defaultModels } from './default-models.js';
import { chooseModels } from './serve.js';

function folderWith(content: string | null): string {
  const folder = mkdtempSync(join(tmpdir(), 'calm-default-'));
  if (content !== null) writeFileSync(join(folder, 'default.json'), content);
  return folder;
}

describe('defaultModels', () => {
  it('gives the names in order', () => {
    expect(defaultModels(folderWith('{"models": ["b", "a"]}'))).toEqual(['b', 'a']);
  });

  it('says what to do where there is no default', () => {
    expect(() => defaultModels(folderWith(null))).toThrow(/^Name a model with --model/);
  });

  it.each(['{', '{"models": []}', '{"models": "a"}', '[]'])('refuses %s', content => {
    expect(() => defaultModels(folderWith(content))).toThrow(/must look like \{"models": \["name"\]\}\.$/);
  });
});

describe('chooseModels', () => {
  it('gives each model the name in its place', () => {
    expect(chooseModels({ model: ['a', 'b'], servedModelName: ['x', 'y'] })).toEqual([
      { model: 'a', servedName: 'x' },
      { model: 'b', servedName: 'y' },
    ]);
  });

  it('wants as many names as models', () => {
    expect(() => chooseModels({ model: ['a', 'b'], servedModelName: ['x'] })).toThrow(/1 for 2/);
  });
});
