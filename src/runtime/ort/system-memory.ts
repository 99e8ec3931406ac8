/** Calls into the C library about memory: mapping a file, and giving back what is no longer used. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { CalmError } from '../../errors.js';
import { Handle, type Pointer } from './handle.js';
import koffi from './koffi.js';

/** mmap and madvise flags that are the same on Linux and macOS. */
const PROT_READ = 1;
const MAP_PRIVATE = 2;
const MADV_DONTNEED = 4;
const MADV_COLLAPSE = 25;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
/** Largest piece that one readSync may fill. */
const READ_BYTES = 1 << 30;

/** Functions of the C library that is part of this process; null on Windows, which has none of them. */
const posix = process.platform === 'win32' ? null : bindPosix();

function bindPosix() {
  const library = koffi.load(null);
  const mmapArguments = ['void *', 'size_t', 'int', 'int', 'int', 'int64_t'];
  return {
    mmap: library.func('mmap', 'void *', mmapArguments),
    munmap: library.func('munmap', 'int', ['void *', 'size_t']),
    madvise: library.func('madvise', 'int', ['void *', 'size_t', 'int']),
    mallocTrim: hasSymbol(library, 'malloc_trim') ? library.func('malloc_trim', 'int', ['size_t']) : null,
  };
}

/** malloc_trim is glibc's own: musl and macOS lack it and do not need it. */
function hasSymbol(library: ReturnType<typeof koffi.load>, name: string): boolean {
  try {
    library.symbol(name);
    return true;
  } catch {
    return false;
  }
}

/** A whole file in memory, read-only: mapped where the system can (POSIX), read into memory elsewhere. */
export class MappedFile extends Handle {
  readonly bytes: number;

  private constructor(pointer: Pointer, bytes: number) {
    super('mapped file', pointer, handle => {
      if (posix) posix.munmap(handle, bytes);
      else koffi.free(handle);
    });
    this.bytes = bytes;
  }

  /** Throws CalmError 'bad_package' where the file cannot be read or is shorter than `leastBytes` (at least 1). */
  static open(file: string, leastBytes: number): MappedFile {
    let descriptor: number;
    try {
      descriptor = openSync(file, 'r');
    } catch (cause) {
      throw new CalmError('bad_package', `The file ${file} cannot be opened; convert the model again.`, {
        cause,
      });
    }
    try {
      const bytes = fstatSync(descriptor).size;
      // Reading a map behind the end of its file would kill the process, so this is checked on the open file.
      if (bytes < leastBytes) {
        throw new CalmError(
          'bad_package',
          `The file ${file} has ${bytes} bytes, but ${leastBytes} are needed; copy or convert the model again.`,
        );
      }
      return new MappedFile(posix ? map(descriptor, bytes, file) : readWhole(descriptor, bytes), bytes);
    } finally {
      closeSync(descriptor);
    }
  }

  /**
   * Lets the pages leave this process's memory; they come back from the file when they are read again. Worth it once
   * ONNX Runtime has packed the matrices into copies of its own.
   */
  releasePages(): void {
    posix?.madvise(this.pointer, this.bytes, MADV_DONTNEED);
  }
}

/** Returns freed memory to the system where the C library would keep it (glibc). */
export function trimHeap(): void {
  posix?.mallocTrim?.(0);
}

/**
 * Asks for huge pages under a piece of this process's memory (Linux 6.1 and newer). The system may refuse: then the
 * memory stays as it was.
 */
export function collapseToHugePages(address: Pointer, bytes: number): void {
  posix?.madvise(address, bytes, MADV_COLLAPSE);
}

function map(descriptor: number, bytes: number, file: string): Pointer {
  const address = posix?.mmap(null, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0) as Pointer | null;
  if (address === null || address === MAP_FAILED) {
    throw new CalmError(
      'native',
      `The file ${file} (${bytes} bytes) cannot be mapped into memory: error number ${koffi.errno()}.`,
    );
  }
  return address;
}

function readWhole(descriptor: number, bytes: number): Pointer {
  const address = koffi.alloc('uint8_t', bytes) as Pointer;
  for (let position = 0; position < bytes; ) {
    const length = Math.min(READ_BYTES, bytes - position);
    const piece = new Uint8Array(koffi.view(address + BigInt(position), length));
    const count = readSync(descriptor, piece, 0, length, position);
    if (count === 0) break;
    position += count;
  }
  return address;
}
