/** The environment: the threads and one logger for all sessions of the process. */
import { availableParallelism } from 'node:os';
import { Handle, type Pointer } from './handle.js';
import type { OrtLibrary } from './library.js';

/** OrtLoggingLevel. Errors come back as statuses too, so they are not written a second time. */
const LOG_WARNINGS = 2;
const LOG_FATAL = 4;

/** The first release that is sure to know how long a pool may spin. */
const SPIN_DURATION_SINCE = { major: 1, minor: 26 };

export interface EnvironmentOptions {
  /** Threads that compute, the calling one included; all cores by default. */
  readonly threads?: number | undefined;
  /**
   * Whether idle threads look for work a moment before they sleep; on by default, with libraries that can bound that
   * moment (session-options.ts).
   */
  readonly spin?: boolean | undefined;
  /** Lets ONNX Runtime write its warnings and errors to standard error. */
  readonly logWarnings?: boolean | undefined;
}

/** Owner of an OrtEnv. ONNX Runtime has one a process: a second one shares the threads of the first. */
export class OrtEnvironment extends Handle {
  readonly library: OrtLibrary;
  readonly threads: number;
  readonly spin: boolean;

  private constructor(library: OrtLibrary, threads: number, spin: boolean, pointer: Pointer) {
    super('ONNX Runtime environment', pointer, handle => library.api.ReleaseEnv(handle));
    this.library = library;
    this.threads = threads;
    this.spin = spin;
  }

  static open(library: OrtLibrary, options: EnvironmentOptions = {}): OrtEnvironment {
    const threads = options.threads ?? availableParallelism();
    const { api } = library;
    const threading = library.make('create threading options', out => api.CreateThreadingOptions(out));
    try {
      library.check(api.SetGlobalIntraOpNumThreads(threading, threads), `use ${threads} threads`);
      library.check(api.SetGlobalInterOpNumThreads(threading, 1), 'use one operator at a time');
      library.check(api.SetGlobalSpinControl(threading, 0), 'set spinning');
      const level = options.logWarnings ? LOG_WARNINGS : LOG_FATAL;
      const pointer = library.make('create its environment', out =>
        api.CreateEnvWithGlobalThreadPools(level, 'calm', threading, out),
      );
      const spin = (options.spin ?? true) && library.isAtLeast(SPIN_DURATION_SINCE);
      return new OrtEnvironment(library, threads, spin, pointer);
    } finally {
      api.ReleaseThreadingOptions(threading);
    }
  }
}
