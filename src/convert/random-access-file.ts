/** A file that is read by position, so that a checkpoint need not fit into memory. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { CalmError } from '../errors.js';

// One read system call moves less than 2 GiB.
const BYTES_A_CALL = 1 << 30;

/** Owner of one file descriptor. */
export class RandomAccessFile {
  readonly path: string;
  readonly size: number;
  #descriptor: number | null;

  /** @throws CalmError bad_checkpoint where the file cannot be opened. */
  constructor(path: string) {
    this.path = path;
    try {
      this.#descriptor = openSync(path, 'r');
    } catch (cause) {
      throw new CalmError('bad_checkpoint', `Cannot open ${path}: ${(cause as Error).message}.`, { cause });
    }
    const status = fstatSync(this.#descriptor);
    this.size = status.size;
    if (!status.isFile()) {
      this.close();
      throw new CalmError('bad_checkpoint', `${path} is not a file.`);
    }
  }

  /** Fills `target` from `position` on. @throws CalmError bad_checkpoint where the file ends before that. */
  readInto(target: Uint8Array, position: number): void {
    if (this.#descriptor === null)
      throw new CalmError('internal', `${this.path} was closed before it was read.`);
    let done = 0;
    while (done < target.length) {
      const length = Math.min(BYTES_A_CALL, target.length - done);
      const got = readSync(this.#descriptor, target, done, length, position + done);
      if (got === 0) {
        throw new CalmError(
          'bad_checkpoint',
          `${this.path} ends at byte ${position + done}, but ${target.length - done} bytes more were expected ` +
            'there: the file is truncated; download it again.',
        );
      }
      done += got;
    }
  }

  /** `length` bytes from `position` on. */
  read(position: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    this.readInto(bytes, position);
    return bytes;
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
    this.#descriptor = null;
  }
}
