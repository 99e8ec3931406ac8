/**
 * Weights on huge pages. A decode step at batch 1 reads all weights once, and on pages of 4 KB it waits for addresses
 * as much as for bytes; ONNX Runtime allocates its packed matrices with malloc, which asks for no larger pages.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { collapseToHugePages } from './system-memory.js';

const PAGE_BYTES = 4096;
const HUGE_PAGE_BYTES = 2 << 20;
const PAGES_IN_HUGE = HUGE_PAGE_BYTES / PAGE_BYTES;
/** Of a huge page's small ones, how many must be in memory already, so that memory in use grows by at most a 32nd. */
const LEAST_PAGES_PRESENT = PAGES_IN_HUGE - PAGES_IN_HUGE / 32;

/**
 * Puts this process's memory that is in full use onto huge pages, where the system has them: Linux 6.1 and newer with
 * 4 KB pages, and transparent huge pages not set to `never`. Whatever is not allowed stays as it is. To be called once
 * the weights are packed; memory that is used later stays on small pages.
 */
export function useHugePages(): void {
  if (process.platform !== 'linux') return;
  try {
    const pagemap = openSync('/proc/self/pagemap', 'r');
    try {
      for (const { start, end } of anonymousMappings()) collapseFullRanges(pagemap, start, end);
    } finally {
      closeSync(pagemap);
    }
  } catch {
    // A system that hides these files keeps its small pages.
  }
}

/** Writable private mappings without a file, the heap included. */
function anonymousMappings(): { readonly start: number; readonly end: number }[] {
  return [
    ...readFileSync('/proc/self/maps', 'utf8').matchAll(
      /^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ 00:00 0 *(?:\[heap\])?$/gm,
    ),
  ].map(([, start = '', end = '']) => ({
    start: Math.ceil(Number.parseInt(start, 16) / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES,
    end: Math.floor(Number.parseInt(end, 16) / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES,
  }));
}

/** Collapses runs of huge pages whose small pages are nearly all present. Addresses are multiples of a huge page. */
function collapseFullRanges(pagemap: number, start: number, end: number): void {
  let runStart = start;
  for (let address = start; address < end; address += HUGE_PAGE_BYTES) {
    if (pagesPresent(pagemap, address) >= LEAST_PAGES_PRESENT) continue;
    collapse(runStart, address);
    runStart = address + HUGE_PAGE_BYTES;
  }
  collapse(runStart, end);
}

function collapse(start: number, end: number): void {
  if (start < end) collapseToHugePages(BigInt(start), end - start);
}

/** Entries of /proc/self/pagemap are 64 bits a page; the highest says that the page is in memory. */
function pagesPresent(pagemap: number, address: number): number {
  const entries = new Uint32Array(2 * PAGES_IN_HUGE);
  readSync(pagemap, entries, 0, entries.byteLength, (address / PAGE_BYTES) * 8);
  let present = 0;
  for (let high = 1; high < entries.length; high += 2) present += (entries[high] as number) >>> 31;
  return present;
}
