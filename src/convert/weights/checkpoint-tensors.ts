/** A checkpoint's tensors by name, alias and wanted shape; everything that does not fit becomes one sentence. */
import { CalmError } from '../../errors.js';
import type { TensorInfo, TensorSource } from '../checkpoint.js';
import type { Matrix } from './matrix.js';

function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** Checked access to a checkpoint's tensors. Names may carry a common prefix, such as `ae_model.`. */
export class CheckpointTensors {
  readonly #source: TensorSource;
  readonly #folder: string;
  readonly #prefix: string;

  /** `folder` is only for messages. */
  constructor(source: TensorSource, folder: string, prefix = '') {
    this.#source = source;
    this.#folder = folder;
    this.#prefix = prefix;
  }

  /** The same checkpoint below a prefix. */
  below(prefix: string): CheckpointTensors {
    return new CheckpointTensors(this.#source, this.#folder, this.#prefix + prefix);
  }

  /** Whether one of the aliases is there. */
  has(...aliases: readonly string[]): boolean {
    return aliases.some(name => this.#source.info(this.#prefix + name) !== undefined);
  }

  /**
   * A matrix under the first of its aliases that the checkpoint has. Values are read when they are asked for.
   * @throws CalmError bad_checkpoint where it is missing or has another shape.
   */
  matrix(aliases: string | readonly string[], rows: number, columns: number): Matrix {
    const { name } = this.#find(aliases, [rows, columns]);
    return { rows, columns, read: (from, to) => this.#read(name, from, to) };
  }

  /**
   * The values of a one-dimensional tensor.
   * @throws CalmError bad_checkpoint where it is missing or has another shape.
   */
  vector(aliases: string | readonly string[], size: number): Float32Array {
    return this.#read(this.#find(aliases, [size]).name);
  }

  #read(name: string, from?: number, to?: number): Float32Array {
    const values = this.#source.read(name, from, to);
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[i] as number;
    if (Number.isFinite(sum)) return values;
    throw new CalmError(
      'bad_checkpoint',
      `${this.#folder}: the tensor ${name} has values that are not finite numbers; the training run that wrote it diverged.`,
      { param: name },
    );
  }

  #find(aliases: string | readonly string[], shape: readonly number[]): TensorInfo {
    const names = (typeof aliases === 'string' ? [aliases] : aliases).map(name => this.#prefix + name);
    for (const name of names) {
      const info = this.#source.info(name);
      if (info === undefined) continue;
      if (info.shape.length === shape.length && info.shape.every((size, axis) => size === shape[axis])) {
        return info;
      }
      throw new CalmError(
        'bad_checkpoint',
        `${this.#folder}: the tensor ${name} has the shape ${shapeText(info.shape)}, but config.json asks for ${shapeText(shape)}.`,
        { param: name },
      );
    }
    throw new CalmError(
      'bad_checkpoint',
      `${this.#folder}: the tensor ${names.join(' (or ')}${names.length > 1 ? ')' : ''} of shape ${shapeText(shape)} is missing from the weights.`,
      { param: names[0] as string },
    );
  }
}
