/** Finding and loading ONNX Runtime, and turning its statuses into errors. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { CalmError } from '../../errors.js';
import {
  API_VERSION,
  OLDEST_RELEASE,
  type OrtApi,
  type Out,
  readApiTable,
  type Status,
} from './api-table.js';
import type { Pointer } from './handle.js';
import koffi, { type LibraryHandle } from './koffi.js';

const libraryNames: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'libonnxruntime.so.1',
  darwin: 'libonnxruntime.1.dylib',
  win32: 'onnxruntime.dll',
};

/** The library that the onnxruntime-node package ships for a platform (its folders follow Node-API version 6). */
export function bundledLibraryFile(platform = process.platform, arch: string = process.arch): string {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const name = libraryNames[platform];
  const file = name && join(root, 'bin', 'napi-v6', platform, arch, name);
  if (!file || !existsSync(file)) {
    throw new CalmError(
      'native',
      `The onnxruntime-node package has no ONNX Runtime for ${platform}/${arch}; name a library file with --ort-library.`,
    );
  }
  return file;
}

/** A loaded ONNX Runtime: its functions, and the check that every one of their results goes through. */
export class OrtLibrary {
  readonly file: string;
  /** As the library says it, such as "1.30.0". */
  readonly version: string;
  readonly api: OrtApi;

  private constructor(file: string, version: string, api: OrtApi) {
    this.file = file;
    this.version = version;
    this.api = api;
  }

  /**
   * Loads a library file, the bundled one if none is named. Throws CalmError 'native' where the file is no usable
   * ONNX Runtime.
   */
  static load(file: string = bundledLibraryFile()): OrtLibrary {
    const { handle, base } = loadApiBase(file);
    const [getApiAddress, getVersionAddress] = koffi.decode(base, 'void *', 2) as [Pointer, Pointer];
    const version = koffi.decode(getVersionAddress, getVersionType)() as string;
    const table = koffi.decode(getApiAddress, getApiType)(API_VERSION) as Pointer | null;
    if (table === null) {
      throw new CalmError(
        'native',
        `The library ${file} is ONNX Runtime ${version}; version ${OLDEST_RELEASE} or newer is needed.`,
      );
    }
    return new OrtLibrary(file, version, readApiTable(handle, table));
  }

  isAtLeast({ major, minor }: { readonly major: number; readonly minor: number }): boolean {
    const [ownMajor = 0, ownMinor = 0] = this.version.split('.').map(Number);
    return ownMajor > major || (ownMajor === major && ownMinor >= minor);
  }

  /** Throws CalmError 'native' with ONNX Runtime's own message where a call failed. `doing` completes "could not". */
  check(status: Status, doing: string): void {
    if (status === null) return;
    // What stands before this mark is the place in ONNX Runtime's source where it gave up.
    const message = this.api
      .GetErrorMessage(status)
      .replace(/\s+/g, ' ')
      .replace(/^.*\[ONNXRuntimeError\] : \d+ : \w+ : /, '')
      .trim();
    this.api.ReleaseStatus(status);
    throw new CalmError('native', `ONNX Runtime could not ${doing}: ${message.replace(/\.$/, '')}.`);
  }

  /** Calls a function that writes one handle, and gives that handle back. */
  make(doing: string, call: (out: Out) => Status): Pointer {
    const out: Out = [null];
    this.check(call(out), doing);
    if (out[0] === null)
      throw new CalmError('native', `ONNX Runtime could not ${doing}: it gave back nothing.`);
    return out[0];
  }
  /** The same on a worker thread: `call` starts it, and hands `done` on as koffi's callback. */
  makeAside(
    doing: string,
    call: (out: Out, done: (error: unknown, status: Status) => void) => void,
  ): Promise<Pointer> {
    const out: Out = [null];
    return new Promise((resolve, reject) => {
      call(out, (error, status) => {
        try {
          if (error) throw error;
          resolve(
            this.make(doing, made => {
              made[0] = out[0];
              return status;
            }),
          );
        } catch (reason) {
          reject(reason);
        }
      });
    });
  }
}

const getApiType = koffi.proto('void *', ['uint32_t']);
const getVersionType = koffi.proto('str', []);

function loadApiBase(file: string): { handle: LibraryHandle; base: Pointer } {
  try {
    const handle = koffi.load(file);
    return { handle, base: handle.func('OrtGetApiBase', 'void *', [])() as Pointer };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CalmError(
      'native',
      `The file ${file} cannot be loaded as ONNX Runtime (${reason.trim()}); name the onnxruntime shared library itself.`,
      { param: 'ort_library', cause },
    );
  }
}
