/**
 * A part of the build: the playground's files need no compiling and go to where the server looks for them.
 *
 *   node scripts/copy-playground.js [target folder]
 */
import { cpSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';

const source = fileURLToPath(new URL('../src/server/playground/page/', import.meta.url));
const target = process.argv[2] ?? fileURLToPath(new URL('../dist/server/playground/page/', import.meta.url));

cpSync(source, target, { recursive: true, filter: path => basename(path) !== 'tsconfig.json' });
