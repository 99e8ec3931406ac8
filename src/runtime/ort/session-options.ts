/** What a session is made with: optimization, the shared thread pool, the shared weights, the device. */

import type { OrtEnvironment } from './environment.js';
import type { GraphSource } from './graph-source.js';
import { buildOwned, Handle } from './handle.js';
import type { OrtLibrary } from './library.js';
import type { Device } from './memory.js';
import type { Weights } from './weights.js';

/** ORT_ENABLE_ALL of GraphOptimizationLevel. */
const ALL_OPTIMIZATIONS = 99;

/** Owner of an OrtSessionOptions. */
export class SessionOptions extends Handle {
  constructor(library: OrtLibrary) {
    const { api } = library;
    super(
      'session options',
      library.make('create session options', out => api.CreateSessionOptions(out)),
      handle => api.ReleaseSessionOptions(handle),
    );
  }
}

/**
 * How long an idle thread looks for work before it sleeps. Between two operators of a step it is a few microseconds,
 * and waking a sleeping thread takes longer than most operators; after a step the JavaScript thread has the core back
 * soon.
 */
const SPIN_MICROSECONDS = 100;

/**
 * Only a session's own pool can be told how long to spin; the environment's would spin for milliseconds or not at all.
 * As threads sleep so soon, the pools of several sessions do not get in each other's way.
 */
function setThreads({ library, threads, spin }: OrtEnvironment, options: SessionOptions): void {
  const { api } = library;
  if (!spin || threads === 1) {
    library.check(api.DisablePerSessionThreads(options.pointer), 'share its threads');
    return;
  }
  library.check(api.SetIntraOpNumThreads(options.pointer, threads), `use ${threads} threads`);
  const entries = { allow_spinning: '1', spin_duration_us: String(SPIN_MICROSECONDS) };
  for (const [key, value] of Object.entries(entries)) {
    library.check(
      api.AddSessionConfigEntry(options.pointer, `session.intra_op.${key}`, value),
      'set spinning',
    );
  }
}

class CudaOptions extends Handle {
  constructor(library: OrtLibrary) {
    const { api } = library;
    super(
      'CUDA options',
      library.make('use CUDA', out => api.CreateCUDAProviderOptions(out)),
      handle => api.ReleaseCUDAProviderOptions(handle),
    );
  }
}

/** Options for one graph; the caller closes them once the session is made. */
export function configureSession(
  environment: OrtEnvironment,
  source: GraphSource,
  device: Device,
): SessionOptions {
  const { library } = environment;
  return buildOwned(owned => {
    const options = owned.own(new SessionOptions(library));
    const { api } = library;
    library.check(
      api.SetSessionGraphOptimizationLevel(options.pointer, ALL_OPTIMIZATIONS),
      'set optimizations',
    );
    setThreads(environment, options);
    if (source.profilePrefix !== undefined) {
      library.check(api.EnableProfiling(options.pointer, source.profilePrefix), 'record its runs');
    }
    // Patterns are kept for every shape that was ever seen, and candidates come in any number.
    library.check(api.DisableMemPattern(options.pointer), 'turn memory patterns off');
    if (source.weights !== null) addWeights(library, options, source, source.weights, device);
    if (device === 'cuda') useCuda(library, options);
    return options;
  });
}

/**
 * Two calls for two purposes: AddExternalInitializers makes the graph read our memory where it would open a file;
 * AddInitializer makes the session use that memory as it is, and lets what is packed from it be shared. The second
 * has no use for weights that go to another device, and is left out for vectors: the float16 norms pack theirs, but
 * refuse to share it.
 */
function addWeights(
  library: OrtLibrary,
  options: SessionOptions,
  source: GraphSource,
  weights: Weights,
  device: Device,
): void {
  const { api } = library;
  const doing = `hand the weights to ${source.file}`;
  const names = [...source.initializers];
  const tensors = names.map(name => weights.tensor(name));
  const values = tensors.map(tensor => tensor.pointer);
  library.check(api.AddExternalInitializers(options.pointer, names, values, names.length), doing);
  if (device !== 'cpu') return;
  for (const [index, tensor] of tensors.entries()) {
    if (tensor.shape.length < 2) continue;
    library.check(api.AddInitializer(options.pointer, names[index] as string, tensor.pointer), doing);
  }
}

function useCuda(library: OrtLibrary, options: SessionOptions): void {
  const { api } = library;
  const cuda = new CudaOptions(library);
  try {
    // The arena would grow by doubling, and so reserve up to twice the cache.
    const entries = Object.entries({ device_id: '0', arena_extend_strategy: 'kSameAsRequested' });
    const [keys, values] = [entries.map(([key]) => key), entries.map(([, value]) => value)];
    library.check(api.UpdateCUDAProviderOptions(cuda.pointer, keys, values, keys.length), 'set CUDA options');
    library.check(
      api.SessionOptionsAppendExecutionProvider_CUDA_V2(options.pointer, cuda.pointer),
      'use CUDA',
    );
    // A node that quietly ran on the CPU would drag the cache across the bus at every step.
    library.check(
      api.AddSessionConfigEntry(options.pointer, 'session.disable_cpu_ep_fallback', '1'),
      'use CUDA alone',
    );
  } finally {
    cuda.close();
  }
}

/** Throws ONNX Runtime's reason where this library cannot use CUDA on this machine. */
export function probeCuda(library: OrtLibrary): void {
  const options = new SessionOptions(library);
  try {
    useCuda(library, options);
  } finally {
    options.close();
  }
}
