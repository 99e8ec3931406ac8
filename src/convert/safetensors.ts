/** Reads tensors from one safetensors file, piece by piece. */
import { CalmError } from '../errors.js';
import type { TensorInfo, TensorSource } from './checkpoint.js';
import { elementBytes, readFloats } from './element-type.js';
import { RandomAccessFile } from './random-access-file.js';
import { checkedRows, elementsPerRow } from './row-range.js';
import { readSafetensorsHeader, type SafetensorsEntry } from './safetensors-header.js';

export class SafetensorsFile implements TensorSource {
  readonly #file: RandomAccessFile;
  readonly #entries: ReadonlyMap<string, SafetensorsEntry>;

  /** Opens the file and checks its header. @throws CalmError bad_checkpoint */
  constructor(path: string) {
    this.#file = new RandomAccessFile(path);
    try {
      this.#entries = readSafetensorsHeader(this.#file);
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  info(name: string): TensorInfo | undefined {
    const entry = this.#entries.get(name);
    return entry && { name, shape: entry.shape };
  }

  names(): readonly string[] {
    return [...this.#entries.keys()];
  }

  read(name: string, from?: number, to?: number): Float32Array {
    const entry = this.#entry(name);
    const rows = checkedRows(entry, from, to);
    const perRow = elementsPerRow(entry.shape);
    const position = entry.position + rows.from * perRow * elementBytes[entry.type];
    return readFloats(this.#file, entry.type, position, (rows.to - rows.from) * perRow, name);
  }

  /** All values of an int64 tensor: token ids of a golden file. @throws CalmError where it has another type. */
  readIntegers(name: string): number[] {
    const entry = this.#entry(name);
    if (entry.type !== 'I64') {
      throw new CalmError(
        'bad_checkpoint',
        `The tensor ${name} of ${this.#file.path} is ${entry.type}, not I64.`,
      );
    }
    const bytes = new Uint8Array(entry.bytes);
    this.#file.readInto(bytes, entry.position);
    return Array.from(new BigInt64Array(bytes.buffer), Number);
  }

  close(): void {
    this.#file.close();
  }

  #entry(name: string): SafetensorsEntry {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      throw new CalmError('bad_checkpoint', `${this.#file.path} has no tensor named ${name}.`, {
        param: name,
      });
    }
    return entry;
  }
}
