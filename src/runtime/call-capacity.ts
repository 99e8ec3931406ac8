/** How many rows of logits one native call may make. */

/** More rows than this in one call save no time any more. */
const MOST_ROWS = 1024;

/** Rows of one call: all their logits, float32, are in memory at once, and `logitBytes` bounds them. At least one. */
export function callCapacity(logitsPerRow: number, logitBytes: number): number {
  const bytesPerRow = logitsPerRow * Float32Array.BYTES_PER_ELEMENT;
  return Math.min(MOST_ROWS, Math.max(1, Math.floor(logitBytes / bytesPerRow)));
}
