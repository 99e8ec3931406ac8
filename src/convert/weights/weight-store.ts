/**
 * Stores parameters in the package's data file, each once and in the form that the weight type asks for, and tells
 * the graphs what that form is.
 */

import { toFloat16 } from '../../float16.js';
import type { DataFileWriter } from '../onnx/data-file.js';
import type { ExternalTensor } from '../onnx/graph-builder.js';
import { ChannelQuantizer } from './channel-quantizer.js';
import { type Matrix, padRows, rowBlocks } from './matrix.js';
import type { Constant, LayerKind, Linear, Norm, RotaryTables, Table } from './parameters.js';
import { type BlockFormat, quantizeRows } from './quantize.js';
import { chooseFormat, fitsChannels } from './quantize-choice.js';
import type {
  BlockMatrix,
  ChannelMatrix,
  DenseMatrix,
  StorageRecord,
  StoredLinear,
  StoredNorm,
  StoredTable,
} from './stored-forms.js';

export type WeightType = 'fp32' | 'int8' | 'int4' | 'fp16';
export type ActivationType = 'fp32' | 'fp16';

export interface WeightStoreOptions {
  readonly file: DataFileWriter;
  readonly weightType: WeightType;
  readonly activationType: ActivationType;
  /** Called with every block of values that has been stored. */
  readonly onStored: (name: string, elements: number) => void;
}

/** Writes parameters when a graph first asks for them. */
export class WeightStore {
  readonly activationType: ActivationType;
  readonly #options: WeightStoreOptions;
  readonly #stored = new Map<object, unknown>();
  readonly #records: StorageRecord[] = [];
  readonly #zeroLevelKey = {};

  constructor(options: WeightStoreOptions) {
    this.#options = options;
    this.activationType = options.activationType;
  }

  /** How every matrix was stored, in order. */
  get records(): readonly StorageRecord[] {
    return this.#records;
  }

  linear(linear: Linear): StoredLinear {
    return this.#once(linear, () => ({
      inputs: linear.weight.columns,
      outputs: linear.weight.rows,
      weight: this.#matrix(linear),
      bias: linear.bias && this.#vector(`${linear.name}.bias`, linear.bias),
    }));
  }

  norm(norm: Norm): StoredNorm {
    return this.#once(norm, () => ({
      weight: this.#vector(`${norm.name}.weight`, norm.weight),
      bias: norm.bias && this.#vector(`${norm.name}.bias`, norm.bias),
    }));
  }

  table(table: Table): StoredTable {
    return this.#once(table, () => {
      const { name, kind, use } = table;
      const weight = padRows(table.weight, table.storedRows ?? table.weight.rows);
      const { rows, columns } = weight;
      if (use !== 'lookup' && this.#takesChannels(weight)) {
        return { form: 'channels', rows, columns, ...this.#channelTable(name, kind, weight) };
      }
      const bits = use === 'lookup' ? this.#bits() && 8 : this.#bits();
      const format = this.#format(weight, bits);
      if (format === undefined) {
        this.#recordDense(name, kind, weight);
        return { form: 'dense', rows, columns, tensor: this.#dense(name, weight) };
      }
      const flat = [rows, (columns * format.bits) / 8];
      const matrix = this.#blocks(name, kind, weight, format, use === 'lookup' ? flat : undefined);
      const alias = () => this.#options.file.alias(`${name}.rows`, matrix.data, flat);
      const lookup = use === 'both' ? { name: `${name}.rows`, ...alias() } : matrix.data;
      return { form: 'blocks', rows, columns, matrix, lookup };
    });
  }

  constant(constant: Constant): ExternalTensor {
    return this.#once(constant, () => this.#dense(constant.name, constant.weight));
  }

  rotary(name: string, tables: RotaryTables): { cos: ExternalTensor; sin: ExternalTensor } {
    return this.#once(tables, () => {
      const matrix = (values: Float32Array): Matrix => ({
        rows: tables.positions,
        columns: tables.columns,
        read: (from, to) => values.subarray(from * tables.columns, to * tables.columns),
      });
      return {
        cos: this.#dense(`${name}.cos`, matrix(tables.cos)),
        sin: this.#dense(`${name}.sin`, matrix(tables.sin)),
      };
    });
  }

  /** The level that stands for zero in quantized activations, a uint8 scalar. */
  zeroLevel(level: number): ExternalTensor {
    const { file } = this.#options;
    return this.#once(this.#zeroLevelKey, () => {
      return { name: 'zero_level', ...file.append('zero_level', 'uint8', [], [Uint8Array.of(level)]) };
    });
  }

  #once<T>(key: object, store: () => T): T {
    if (!this.#stored.has(key)) this.#stored.set(key, store());
    return this.#stored.get(key) as T;
  }

  #bits(): 8 | 4 | null {
    const { weightType } = this.#options;
    return weightType === 'int8' ? 8 : weightType === 'int4' ? 4 : null;
  }

  /** The narrowest format that the matrix bears: the wanted bits, then 8 bits, then none. */
  #format(matrix: Matrix, bits: 8 | 4 | null): BlockFormat | undefined {
    if (bits === null) return undefined;
    const float16Scales = this.activationType === 'fp16';
    return (
      chooseFormat(matrix, { bits, float16Scales }) ??
      (bits === 4 ? chooseFormat(matrix, { bits: 8, float16Scales }) : undefined)
    );
  }

  /** Products of integers exist for float32 activations on the CPU; half precision is for CUDA. */
  #takesChannels(matrix: Matrix): boolean {
    return this.#bits() === 8 && this.activationType === 'fp32' && fitsChannels(matrix);
  }

  #matrix(linear: Linear): DenseMatrix | BlockMatrix | ChannelMatrix {
    const { name, kind, weight } = linear;
    if (!linear.sensitive && this.#takesChannels(weight))
      return this.#channels(`${name}.weight`, kind, weight);
    // In half precision MatMulNBits reads scales from its own graph only, and the body of a loop is another one.
    const isBare = linear.repeated === true && this.activationType === 'fp16';
    const bits = linear.sensitive ? this.#bits() && 8 : this.#bits();
    const format = this.#format(weight, isBare ? null : bits);
    if (format !== undefined) return this.#blocks(`${name}.weight`, kind, weight, format);
    this.#recordDense(`${name}.weight`, kind, weight);
    return { form: 'dense', tensor: this.#transposed(`${name}.weight`, weight) };
  }

  /** Levels as a table's rows, streamed. */
  #channelTable(
    name: string,
    kind: LayerKind,
    weight: Matrix,
  ): { readonly matrix: ChannelMatrix; readonly zeroPoints: ExternalTensor } {
    const { rows, columns } = weight;
    const { file } = this.#options;
    const quantized = this.#quantizeChannels(name, kind, weight);
    const levels = file.append(`${name}.levels`, 'int8', [rows, columns], quantized.pieces());
    const zeros = file.append(`${name}.zero_points`, 'int8', [rows], [new Int8Array(rows)]);
    return {
      matrix: {
        form: 'channels',
        levels: { name: `${name}.levels`, ...levels },
        scales: this.#floats(`${name}.scales`, [rows], quantized.scales),
      },
      zeroPoints: { name: `${name}.zero_points`, ...zeros },
    };
  }

  /** Levels with the inputs first, as the product wants them. Holds this one matrix in memory. */
  #channels(name: string, kind: LayerKind, weight: Matrix): ChannelMatrix {
    const { rows, columns } = weight;
    const quantized = this.#quantizeChannels(name, kind, weight);
    const levels = this.#options.file.append(
      `${name}.levels`,
      'int8',
      [columns, rows],
      [quantized.transposed()],
    );
    return {
      form: 'channels',
      levels: { name: `${name}.levels`, ...levels },
      scales: this.#floats(`${name}.scales`, [rows], quantized.scales),
    };
  }

  #quantizeChannels(name: string, kind: LayerKind, weight: Matrix): ChannelQuantizer {
    const elements = weight.rows * weight.columns;
    return new ChannelQuantizer(weight, {
      onPiece: count => this.#options.onStored(name, count),
      onDone: errors => this.#records.push({ name, kind, elements, format: 'channels', ...errors }),
    });
  }

  #recordDense(name: string, kind: LayerKind, weight: Matrix): void {
    const elements = weight.rows * weight.columns;
    this.#records.push({ name, kind, elements, format: null, squaredError: 0, squaredNorm: 0 });
  }

  #blocks(
    name: string,
    kind: LayerKind,
    weight: Matrix,
    format: BlockFormat,
    shape = matrixShape(weight, format),
  ): BlockMatrix {
    const { rows, columns } = weight;
    const { bits, blockSize } = format;
    const blocks = columns / blockSize;
    const scales = new Float32Array(rows * blocks);
    const zeroPointBytes = Math.ceil((blocks * bits) / 8);
    const zeroPoints = format.symmetric ? null : new Uint8Array(rows * zeroPointBytes);
    let squaredError = 0;
    let squaredNorm = 0;
    const { file, onStored } = this.#options;
    function* data(): Generator<Uint8Array> {
      for (const { from, to } of rowBlocks(weight)) {
        const part = quantizeRows(weight.read(from, to), columns, format);
        scales.set(part.scales, from * blocks);
        if (part.zeroPoints) zeroPoints?.set(part.zeroPoints, from * zeroPointBytes);
        squaredError += part.squaredError;
        squaredNorm += part.squaredNorm;
        yield part.data;
        onStored(name, (to - from) * columns);
      }
    }
    const stored = file.append(`${name}.quantized`, 'uint8', shape, data());
    this.#records.push({ name, kind, elements: rows * columns, format, squaredError, squaredNorm });
    return {
      form: 'blocks',
      format,
      data: { name: `${name}.quantized`, ...stored },
      scales: this.#floats(`${name}.scales`, [rows, blocks], scales),
      zeroPoints: zeroPoints && {
        name: `${name}.zero_points`,
        ...file.append(`${name}.zero_points`, 'uint8', [rows, zeroPointBytes], [zeroPoints]),
      },
    };
  }

  #vector(name: string, values: Float32Array): ExternalTensor {
    this.#options.onStored(name, values.length);
    return this.#floats(name, [values.length], values);
  }

  /** [rows, columns] as it is, streamed. */
  #dense(name: string, matrix: Matrix): ExternalTensor {
    const convert = this.#converter();
    const { file, onStored } = this.#options;
    function* pieces(): Generator<NodeJS.ArrayBufferView> {
      for (const { from, to } of rowBlocks(matrix)) {
        yield convert(matrix.read(from, to));
        onStored(name, (to - from) * matrix.columns);
      }
    }
    return { name, ...file.append(name, this.#floatType(), [matrix.rows, matrix.columns], pieces()) };
  }

  /** [columns, rows]: MatMul wants the inputs first. Holds this one matrix in memory. */
  #transposed(name: string, matrix: Matrix): ExternalTensor {
    const { rows, columns } = matrix;
    const values = new Float32Array(rows * columns);
    for (const { from, to } of rowBlocks(matrix)) {
      const part = matrix.read(from, to);
      for (let column = 0; column < columns; column++) {
        for (let row = from; row < to; row++) {
          values[column * rows + row] = part[(row - from) * columns + column] as number;
        }
      }
      this.#options.onStored(name, (to - from) * columns);
    }
    return this.#floats(name, [columns, rows], values);
  }

  #floats(name: string, shape: readonly number[], values: Float32Array): ExternalTensor {
    const convert = this.#converter();
    return { name, ...this.#options.file.append(name, this.#floatType(), shape, [convert(values)]) };
  }

  #floatType(): 'float32' | 'float16' {
    return this.activationType === 'fp16' ? 'float16' : 'float32';
  }

  #converter(): (values: Float32Array) => NodeJS.ArrayBufferView {
    return this.activationType === 'fp16' ? toFloat16 : values => values;
  }
}

/** Shape of MatMulNBits' weights: [outputs, blocks, bytes of a block]. */
function matrixShape({ rows, columns }: Matrix, { bits, blockSize }: BlockFormat): readonly number[] {
  return [rows, columns / blockSize, (blockSize * bits) / 8];
}
