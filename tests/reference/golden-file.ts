/** The golden cases in tests/golden: a checkpoint, and what PyTorch computed with it. */
import { join } from 'node:path';
import { SafetensorsFile } from '../../src/convert/safetensors.js';

const ROOT = join(import.meta.dirname, '..', 'golden');

/** Folder of a case's checkpoint or autoencoder. */
export function goldenFolder(name: string, part: 'checkpoint' | 'autoencoder'): string {
  return join(ROOT, name, part);
}

/** What PyTorch recorded for one case. */
export class GoldenFile {
  readonly #file: SafetensorsFile;

  constructor(name: string) {
    this.#file = new SafetensorsFile(join(ROOT, name, 'golden.safetensors'));
  }

  shape(tensor: string): readonly number[] {
    return this.#file.info(tensor)?.shape ?? [];
  }

  floats(tensor: string): Float32Array {
    return this.#file.read(tensor);
  }

  ids(tensor: string): number[] {
    return this.#file.readIntegers(tensor);
  }

  /** Row `index` of the tensor's leading axes, where the last axis is one row. */
  row(tensor: string, index: number): Float32Array {
    const size = this.shape(tensor).at(-1) ?? 0;
    return this.floats(tensor).subarray(index * size, (index + 1) * size);
  }

  /** All noise of a position: one vector, or, of a diffusion, several one after the other. */
  noise(position: number): Float64Array {
    const [rows = 0, chunks = 0] = this.shape('noise');
    const all = this.floats('noise');
    const size = all.length / (rows * chunks);
    return Float64Array.from(all.subarray(position * size, (position + 1) * size));
  }

  close(): void {
    this.#file.close();
  }
}
