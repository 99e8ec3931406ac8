/** What a single run does differently from others. */
import { Handle } from './handle.js';
import type { OrtLibrary } from './library.js';

/**
 * Owner of OrtRunOptions after whose run the session gives back the scratch memory that nothing uses
 * (`memory.enable_memory_arena_shrinkage` of onnxruntime_run_options_config_keys.h). A session keeps a region for each
 * size that it ever needed: a batch that grows from 1 to 32 rows leaves one behind at every doubling.
 */
export class ShrinkingRun extends Handle {
  constructor(library: OrtLibrary) {
    const { api } = library;
    super(
      'run options',
      library.make('create run options', out => api.CreateRunOptions(out)),
      handle => api.ReleaseRunOptions(handle),
    );
    try {
      library.check(
        api.AddRunConfigEntry(this.pointer, 'memory.enable_memory_arena_shrinkage', 'cpu:0'),
        'give back scratch memory',
      );
    } catch (error) {
      this.close();
      throw error;
    }
  }
}
