/** Choosing where a model runs. */
import { CalmError } from '../errors.js';
import type { Manifest } from './manifest.js';
import type { OrtLibrary } from './ort/library.js';
import type { Device } from './ort/memory.js';
import { probeCuda } from './ort/session-options.js';

export type DeviceRequest = 'auto' | 'cpu' | 'cuda';

export interface DeviceChoice {
  readonly device: Device;
  /** Where "auto" fell back to the CPU: one line that says why. */
  readonly note: string | null;
}

/**
 * The device for one package. Attention runs on CUDA in float16 only, so a package with float32 activations stays on
 * the CPU. "auto" takes CUDA where it can; "cuda" throws CalmError 'device_unavailable' where it cannot.
 */
export function chooseDevice(library: OrtLibrary, request: DeviceRequest, manifest: Manifest): DeviceChoice {
  if (request === 'cpu') return { device: 'cpu', note: null };
  const unusable = cudaObstacle(library);
  if (request === 'auto' && unusable !== null) {
    return {
      device: 'cpu',
      note: `Device auto: ${manifest.name} runs on the CPU, as ONNX Runtime finds no CUDA.`,
    };
  }
  const obstacle = packageObstacle(manifest) ?? unusable;
  if (obstacle === null) return { device: 'cuda', note: null };
  if (request === 'cuda') throw new CalmError('device_unavailable', obstacle, { param: 'device' });
  return { device: 'cpu', note: `Device auto: ${manifest.name} runs on the CPU. ${obstacle}` };
}

/** Why this package cannot run on any CUDA device; null where it can. */
function packageObstacle(manifest: Manifest): string | null {
  if (manifest.activation_type === 'fp16') return null;
  return `The package ${manifest.name} computes in float32, but attention runs on CUDA in float16 only; convert it with --weights fp16.`;
}

/** Why this library cannot use CUDA here, and what to install; null where it can. */
function cudaObstacle(library: OrtLibrary): string | null {
  try {
    probeCuda(library);
    return null;
  } catch (error) {
    if (!(error instanceof CalmError)) throw error;
    return (
      `${error.message} Install the PyPI package onnxruntime-gpu with the CUDA and cuDNN that it names, ` +
      'and pass its libonnxruntime with --ort-library.'
    );
  }
}
