/** Reads tensors from a `pytorch_model.bin` (the zip format of torch.save) without executing anything of it. */
import { CalmError } from '../errors.js';
import type { TensorInfo, TensorSource } from './checkpoint.js';
import { elementBytes, readFloats } from './element-type.js';
import { unpickle } from './pickle-machine.js';
import { type StoredTensor, tensorWorld } from './pickle-tensors.js';
import { readZipDirectory, type ZipEntry } from './pickle-zip.js';
import { RandomAccessFile } from './random-access-file.js';
import { checkedRows, elementsPerRow } from './row-range.js';

/** A tensor, and the file position of its storage. */
interface PlacedTensor extends StoredTensor {
  readonly storagePosition: number;
}

/** The pickle names each tensor once; real ones stay far below this. */
const MAX_PICKLE_BYTES = 1 << 28;

export class PickleFile implements TensorSource {
  readonly #file: RandomAccessFile;
  readonly #tensors: ReadonlyMap<string, PlacedTensor>;

  /** Opens the file, reads its names and checks that every tensor lies inside its storage. @throws CalmError */
  constructor(path: string) {
    this.#file = new RandomAccessFile(path);
    try {
      this.#tensors = readTensors(this.#file);
    } catch (error) {
      this.#file.close();
      throw error;
    }
  }

  info(name: string): TensorInfo | undefined {
    const tensor = this.#tensors.get(name);
    return tensor && { name, shape: tensor.shape };
  }

  names(): readonly string[] {
    return [...this.#tensors.keys()];
  }

  read(name: string, from?: number, to?: number): Float32Array {
    const tensor = this.#tensors.get(name);
    if (tensor === undefined) {
      throw new CalmError('bad_checkpoint', `${this.#file.path} has no tensor named ${name}.`, {
        param: name,
      });
    }
    const rows = checkedRows({ name, shape: tensor.shape }, from, to);
    const shape = tensor.shape.length === 0 ? [] : [rows.to - rows.from, ...tensor.shape.slice(1)];
    const count = tensor.shape.length === 0 ? rows.to - rows.from : (shape[0] ?? 1) * elementsPerRow(shape);
    if (count === 0) return new Float32Array(0);
    const first = tensor.offset + rows.from * (tensor.strides[0] ?? 0);
    const span = spanOf(shape, tensor.strides);
    const position = tensor.storagePosition + first * elementBytes[tensor.type];
    const values = readFloats(this.#file, tensor.type, position, span, name);
    return isContiguous(shape, tensor.strides) ? values : gather(values, shape, tensor.strides, count);
  }

  close(): void {
    this.#file.close();
  }
}

function readTensors(file: RandomAccessFile): ReadonlyMap<string, PlacedTensor> {
  refuseOtherFormats(file);
  const entries = readZipDirectory(file);
  const pickle = [...entries.values()].find(({ name }) => name === 'data.pkl' || name.endsWith('/data.pkl'));
  if (pickle === undefined) throw bad(file, 'it has no entry data.pkl, so torch.save did not write it');
  const folder = pickle.name.slice(0, -'data.pkl'.length);
  if (entries.has(`${folder}constants.pkl`)) {
    throw bad(file, 'it is a TorchScript program; save the state_dict with torch.save instead');
  }
  refuseBigEndian(file, entries.get(`${folder}byteorder`));
  if (pickle.bytes > MAX_PICKLE_BYTES) {
    throw bad(file, `its data.pkl has ${pickle.bytes} bytes, far more than names of tensors need`);
  }
  const root = unpickle(file.read(pickle.position, pickle.bytes), tensorWorld(file.path), file.path);
  if (!(root instanceof Map))
    throw bad(file, 'it holds no dictionary of tensors; save the state_dict of the model');

  const tensors = new Map<string, PlacedTensor>();
  for (const [name, value] of root) {
    if (typeof name === 'string' && isTensor(value)) {
      tensors.set(name, placed(file, name, value, entries.get(`${folder}data/${value.storage.key}`)));
    }
  }
  if (tensors.size === 0) {
    const keys = [...root.keys()].slice(0, 5).map(String).join(', ');
    throw bad(
      file,
      `its dictionary (${keys || 'empty'}) holds no tensor; save the state_dict of the model itself`,
    );
  }
  return tensors;
}

function refuseOtherFormats(file: RandomAccessFile): void {
  const start = file.read(0, Math.min(8, file.size));
  if (start.toString('latin1') === 'version ') {
    throw bad(file, 'it seems to be a Git LFS pointer; fetch the weights with "git lfs pull"');
  }
  if (start[0] === 0x80) {
    throw bad(
      file,
      'it has the format of PyTorch before 1.6, which is not read here; load it and save it again with ' +
        'torch.save (or as safetensors)',
    );
  }
  if (start.toString('latin1', 0, 2) !== 'PK')
    throw bad(file, 'it is no zip archive, so torch.save did not write it');
}

function refuseBigEndian(file: RandomAccessFile, entry: ZipEntry | undefined): void {
  if (entry !== undefined && file.read(entry.position, Math.min(entry.bytes, 8)).toString() === 'big') {
    throw bad(file, 'it was written on a big-endian machine; save it again on a little-endian one');
  }
}

function placed(
  file: RandomAccessFile,
  name: string,
  tensor: StoredTensor,
  entry: ZipEntry | undefined,
): PlacedTensor {
  if (entry === undefined) {
    throw bad(file, `the tensor ${name} refers to the storage ${tensor.storage.key}, which is not there`);
  }
  const empty = tensor.shape.includes(0);
  const end =
    (tensor.offset + (empty ? 0 : spanOf(tensor.shape, tensor.strides))) * elementBytes[tensor.type];
  if (end > entry.bytes) {
    throw bad(
      file,
      `the tensor ${name} of shape [${tensor.shape.join(', ')}] ends at byte ${end} of a storage of ${entry.bytes}`,
    );
  }
  return { ...tensor, storagePosition: entry.position };
}

/** Elements of the storage from a view's first to its last one. */
function spanOf(shape: readonly number[], strides: readonly number[]): number {
  return shape.reduce((last, size, axis) => last + (size - 1) * strides[axis]!, 0) + 1;
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= shape[axis]!;
  }
  return true;
}

/** Copies a strided view into row-major order. */
function gather(
  span: Float32Array,
  shape: readonly number[],
  strides: readonly number[],
  count: number,
): Float32Array {
  const values = new Float32Array(count);
  const index = new Array<number>(shape.length).fill(0);
  let source = 0;
  for (let target = 0; target < count; target++) {
    values[target] = span[source]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      source -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return values;
}

function isTensor(value: unknown): value is StoredTensor {
  return typeof value === 'object' && value !== null && (value as StoredTensor).kind === 'tensor';
}

function bad(file: RandomAccessFile, what: string): CalmError {
  return new CalmError('bad_checkpoint', `${file.path} is not a usable PyTorch checkpoint: ${what}.`);
}
