/** A part of the build: the playground's files need no compiling and go to where the server looks for them. */
import { cpSync, rmSync } from 'node:fs';
import { basename } from 'node:path';

const source = new URL('../src/server/playground/', import.meta.url);
const target = new URL('../dist/server/playground/', import.meta.url);

rmSync(target, { recursive: true, force: true });
cpSync(source, target, { recursive: true, filter: path => basename(path) !== 'tsconfig.json' });
