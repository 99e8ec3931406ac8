/** From a model package to a model that the engine can run. */
import { DEFAULT_EXACT_DRAW_LIMIT } from '../sampler/start-decision.js';
import { CalmModel } from './calm-model.js';
import { chooseDevice, type DeviceRequest } from './device.js';
import { type CacheOptions, cacheSize } from './kv-cache.js';
import type { GraphName } from './manifest.js';
import type { LanguageModel } from './model.js';
import { type NoiseSource, noiseSourceOf } from './noise-source.js';
import type { ModelPackage } from './open-package.js';
import type { OrtEnvironment } from './ort/environment.js';
import type { Device } from './ort/memory.js';
import { PackageSessions } from './ort/package-sessions.js';
import { TokenModel } from './token-model.js';

/** Rows of the cache where nothing else is asked for; on the CPU an unused row costs nothing. */
export const DEFAULT_SLOTS = 32;

export interface LoadOptions extends Partial<CacheOptions> {
  /** "auto" by default. */
  readonly device?: DeviceRequest | undefined;
  /** Runs backbone, head and decoder apart instead of the fused graphs; CALM only. For verification. */
  readonly split?: boolean | undefined;
  /** Where a CALM's noise comes from: the request's seed by default, a recording for verification. */
  readonly noise?: NoiseSource | undefined;
  /** Candidates for one chunk after which the exact sampler ends its request; 65536 by default. CALM only. */
  readonly exactDrawLimit?: number | undefined;
  /** Candidates that one step draws for all rows together; by default as its decode's time allows. CALM only. */
  readonly drawsPerStep?: number | undefined;
  /** Decodes only those tokens of candidates that decisions look at, where the package has the graph; on by default. */
  readonly partialDraw?: boolean | undefined;
}

export interface LoadedModel {
  /** The caller closes it. */
  readonly model: LanguageModel;
  readonly device: Device;
  /** One line for the log where the wanted device could not be used; null otherwise. */
  readonly note: string | null;
}

/**
 * Loads a package. Throws CalmError: 'bad_package' where a graph or the weights are unusable, 'bad_usage' where the
 * options do not fit the model, 'device_unavailable' where the device is not there, 'native' for the rest.
 */
export function loadModel(
  environment: OrtEnvironment,
  source: ModelPackage,
  options: LoadOptions = {},
): LoadedModel {
  return prepareLoad(environment, source, options).build();
}

/** The same, with the event loop free for most of the time: graphs are opened on a worker thread. */
export async function loadModelAside(
  environment: OrtEnvironment,
  source: ModelPackage,
  options: LoadOptions = {},
): Promise<LoadedModel> {
  const { sessions, graphs, build } = prepareLoad(environment, source, options);
  try {
    for (const graph of graphs) await sessions.prepare(graph);
  } catch (error) {
    sessions.close();
    throw error;
  }
  return build();
}

/** A model that lacks only its graphs. */
interface PreparedLoad {
  readonly sessions: PackageSessions;
  /** The graphs that the model will open. */
  readonly graphs: readonly GraphName[];
  /** Takes ownership of the sessions. */
  build(): LoadedModel;
}

function prepareLoad(environment: OrtEnvironment, source: ModelPackage, options: LoadOptions): PreparedLoad {
  const { manifest } = source;
  const size = cacheSize(manifest, { ...options, slots: options.slots ?? DEFAULT_SLOTS });
  const { device, note } = chooseDevice(environment.library, options.device ?? 'auto', manifest);
  const sessions = new PackageSessions(environment, source, device);
  if (manifest.kind === 'token') {
    return {
      sessions,
      graphs: ['backbone', 'step'],
      build: () => ({ model: new TokenModel(sessions, manifest, size), device, note }),
    };
  }
  const split = options.split ?? false;
  // Every session on a device holds its own copy of its weights, so there the fused step would double the backbone's.
  const graphs = { fusedStep: !split && device === 'cpu', splitDraw: split };
  const noise = options.noise ?? noiseSourceOf(manifest);
  const exactDrawLimit = options.exactDrawLimit ?? DEFAULT_EXACT_DRAW_LIMIT;
  const { drawsPerStep } = options;
  // Decoding by position draws again what it looks at twice, which pays where the vocabulary costs more than the head.
  const partialDraw =
    !split && device === 'cpu' && manifest.graphs.position !== undefined && (options.partialDraw ?? true);
  return {
    sessions,
    graphs: [
      'backbone',
      ...(graphs.fusedStep ? (['step'] as const) : []),
      ...(graphs.splitDraw ? (['head', 'decoder'] as const) : (['draw'] as const)),
      ...(partialDraw ? (['position'] as const) : []),
    ],
    build: () => ({
      model: new CalmModel(sessions, manifest, size, {
        ...graphs,
        partialDraw,
        noise,
        exactDrawLimit,
        drawsPerStep,
      }),
      device,
      note,
    }),
  };
}
