/** Memory in full use goes onto huge pages, and keeps its contents; memory that is hardly touched stays small. */
import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { afterAll, expect, test } from 'vitest';
import { useHugePages } from './huge-pages.js';
import koffi from './koffi.js';

const BYTES = 32 << 20;

/** Whether this system gives huge pages on request. */
function hasHugePages(): boolean {
  if (process.platform !== 'linux') return false;
  const [major = 0, minor = 0] = release().split('.').map(Number);
  if (major < 6 || (major === 6 && minor < 1)) return false;
  try {
    return !readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8').includes('[never]');
  } catch {
    return false;
  }
}

/** Kilobytes that /proc/self/smaps tells of the mapping that holds an address. */
function kilobytes(address: bigint, field: 'AnonHugePages' | 'Rss'): number {
  const mapping = readFileSync('/proc/self/smaps', 'utf8')
    .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
    .find(text => {
      const [, start, end] = /^([0-9a-f]+)-([0-9a-f]+) /.exec(text) ?? [];
      return BigInt(`0x${start}`) <= address && address < BigInt(`0x${end}`);
    });
  return Number(new RegExp(`^${field}: +([0-9]+) kB$`, 'm').exec(mapping ?? '')?.[1]);
}

const used = koffi.alloc('uint8_t', BYTES) as bigint;
const untouched = koffi.alloc('uint8_t', 4 * BYTES) as bigint;
afterAll(() => {
  koffi.free(used);
  koffi.free(untouched);
});

test.runIf(hasHugePages())('full memory moves, and its bytes stay', () => {
  const bytes = new Uint8Array(koffi.view(used, BYTES));
  for (let at = 0; at < BYTES; at += 64) bytes[at] = (at >> 6) % 251;
  const residentBefore = kilobytes(untouched, 'Rss');
  useHugePages();
  expect(kilobytes(used, 'AnonHugePages')).toBeGreaterThan((0.8 * BYTES) / 1024);
  expect(kilobytes(untouched, 'Rss')).toBeLessThan(residentBefore + BYTES / 1024 / 2);
  for (let at = 0; at < BYTES; at += 64) {
    if (bytes[at] !== (at >> 6) % 251) throw new Error(`the byte at ${at} changed`);
  }
});
