/**
 * How fast this machine reads memory: the floor under a decode step at batch 1, which reads every weight once.
 * The reader is the C library's memchr, which looks for a byte that is not there with the widest registers the
 * processor has, on as many threads as the models use.
 */

import { CalmError } from '../../errors.js';
import koffi from './koffi.js';

/** Far above any last-level cache, so that the reads come from memory. */
const BUFFER_BYTES = 512 << 20;
const ABSENT_BYTE = 0xff;

export interface BandwidthOptions {
  readonly threads: number;
  /** Passes over the buffer; the fastest counts, because every disturbance only slows a pass down. */
  readonly passes?: number;
  readonly bufferBytes?: number;
}

/** Bytes per second that `threads` threads together read from memory. */
export async function measureReadBandwidth(options: BandwidthOptions): Promise<number> {
  const { threads, passes = 4, bufferBytes = BUFFER_BYTES } = options;
  const memchr = openMemchr();
  const address = koffi.alloc('uint8_t', bufferBytes) as bigint;
  try {
    // Written once, or every page would be the same page of zeros.
    new Uint8Array(koffi.view(address, bufferBytes)).fill(1);
    const share = Math.floor(bufferBytes / threads);
    let fastestMs = Number.POSITIVE_INFINITY;
    for (let pass = 0; pass < passes; pass += 1) {
      const start = performance.now();
      await Promise.all(
        Array.from({ length: threads }, (_, index) => memchr(address + BigInt(index * share), share)),
      );
      fastestMs = Math.min(fastestMs, performance.now() - start);
    }
    return (share * threads) / (fastestMs / 1000);
  } finally {
    koffi.free(address);
  }
}

type Reader = (address: bigint, bytes: number) => Promise<void>;

function openMemchr(): Reader {
  const library = koffi.load(process.platform === 'win32' ? 'msvcrt.dll' : null);
  const memchr = library.func('memchr', 'void *', ['void *', 'int', 'size_t']);
  return (address, bytes) =>
    new Promise((resolve, reject) => {
      memchr.async(address, ABSENT_BYTE, bytes, (error: unknown, found: unknown) => {
        if (error) reject(error);
        else if (found !== null)
          reject(new CalmError('internal', 'The bandwidth probe found a byte it never wrote.'));
        else resolve();
      });
    });
}
