/** Conversions of golden checkpoints, as they are and changed, into a temporary folder. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type ConvertOptions, convertCheckpoint } from '../src/convert/convert.js';
import { SafetensorsFile } from '../src/convert/safetensors.js';
import { CalmError } from '../src/errors.js';
import { goldenFolder } from './reference/golden-file.js';
import { type RandomTensor, safetensors } from './reference/write-checkpoint.js';

export const checkpoint = goldenFolder('energy-k4', 'checkpoint');
export const autoencoder = goldenFolder('energy-k4', 'autoencoder');

/** `remove` deletes everything that was written. */
export class GoldenConversion {
  readonly #root = mkdtempSync(join(tmpdir(), 'calm-convert-'));
  /** Where packages are written, and nothing else. */
  readonly folder = join(this.#root, 'packages');
  #copies = 0;

  constructor() {
    mkdirSync(this.folder);
  }

  outFolder(name: string): string {
    return join(this.folder, name);
  }

  /** Of the energy head with four tokens a chunk, unless the options name another checkpoint. */
  convert(name: string, options: Partial<ConvertOptions> = {}) {
    return convertCheckpoint({
      checkpoint,
      autoencoder,
      out: this.outFolder(name),
      weights: 'fp32',
      ...options,
    });
  }

  /** The error of a conversion that must fail, and that leaves nothing behind. */
  failure(options: Partial<ConvertOptions>): CalmError {
    const before = readdirSync(this.folder);
    try {
      this.convert('refused', options);
    } catch (error) {
      expect(readdirSync(this.folder)).toEqual(before);
      if (error instanceof CalmError) return error;
      throw error;
    }
    throw new Error('the conversion did not fail');
  }

  /** A copy of a golden folder with changed tensors and configuration. */
  change(
    source: string,
    changeTensors: (tensors: Map<string, RandomTensor>) => void,
    config: Record<string, unknown> = {},
  ): string {
    const copy = join(this.#root, `changed-${this.#copies}`);
    this.#copies += 1;
    cpSync(source, copy, { recursive: true });
    const file = new SafetensorsFile(join(source, 'model.safetensors'));
    const tensors = new Map(
      file.names().map(name => [name, { shape: file.info(name)!.shape, values: file.read(name) }] as const),
    );
    file.close();
    changeTensors(tensors);
    writeFileSync(join(copy, 'model.safetensors'), safetensors(tensors));
    const original = JSON.parse(readFileSync(join(source, 'config.json'), 'utf8'));
    writeFileSync(join(copy, 'config.json'), JSON.stringify({ ...original, ...config }));
    return copy;
  }

  remove(): void {
    rmSync(this.#root, { recursive: true });
  }
}
