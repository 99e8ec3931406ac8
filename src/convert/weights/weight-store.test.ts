/** Matrices of several row blocks: what is streamed must be what one piece would have given. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { toFloat16 } from '../../float16.js';
import { DataFileWriter } from '../onnx/data-file.js';
import type { ExternalTensor } from '../onnx/graph-builder.js';
import { type Matrix, rowBlocks } from './matrix.js';
import type { Linear } from './parameters.js';
import { quantizeRows } from './quantize.js';
import { quantizeChannels } from './quantize-channels.js';
import { type ActivationType, WeightStore, type WeightType } from './weight-store.js';

const folder = mkdtempSync(join(tmpdir(), 'calm-store-'));
afterAll(() => rmSync(folder, { recursive: true }));

const rows = 9001;
const columns = 256;
const values = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * 0.37 + (i % 1013)));
const weight: Matrix = {
  rows,
  columns,
  read: (from, to) => values.subarray(from * columns, to * columns),
};
const linear: Linear = { name: 'linear', kind: 'mlp', weight, bias: null };

function open(weightType: WeightType, activationType: ActivationType) {
  const path = join(mkdtempSync(join(folder, 'store-')), 'data');
  const file = new DataFileWriter(path);
  let elements = 0;
  const onStored = (_: string, count: number) => {
    elements += count;
  };
  return {
    store: new WeightStore({ file, weightType, activationType, onStored }),
    elements: () => elements,
    bytes(tensor: ExternalTensor | null): Uint8Array {
      const { offset, bytes } = tensor!;
      return Uint8Array.from(readFileSync(path).subarray(offset, offset + bytes));
    },
  };
}

test('the matrix has more than one block', () => {
  expect([...rowBlocks(weight)].length).toBeGreaterThan(2);
});

describe.each(['int8', 'int4'] as const)('%s', weightType => {
  test('blocks: quantized values, scales and zero points', () => {
    const { store, bytes, elements } = open(weightType, 'fp32');
    const stored = store.linear({ ...linear, sensitive: weightType === 'int8' }).weight;
    if (stored.form !== 'blocks') throw new Error('not quantized');
    const expected = quantizeRows(values, columns, stored.format);
    expect(Buffer.compare(bytes(stored.data), expected.data)).toBe(0);
    expect(new Float32Array(bytes(stored.scales).buffer)).toEqual(expected.scales);
    expect(bytes(stored.zeroPoints)).toEqual(expected.zeroPoints);
    expect(elements()).toBe(values.length);
    const [record] = store.records;
    expect(record!.squaredError).toBeCloseTo(expected.squaredError, 3);
  });

  test('a second graph gets the same copy', () => {
    const { store } = open(weightType, 'fp16');
    expect(store.linear(linear)).toBe(store.linear(linear));
    expect(store.records).toHaveLength(1);
  });
});

test('levels of a linear have their inputs first, those of a table are its rows', () => {
  const { store, bytes, elements } = open('int8', 'fp32');
  const stored = store.linear(linear).weight;
  const table = store.table({ name: 'table', kind: 'vocabulary', weight, use: 'both' });
  if (stored.form !== 'channels' || table.form !== 'channels') throw new Error('no levels');
  const expected = quantizeChannels(values, columns);
  expect(stored.levels.shape).toEqual([columns, rows]);
  const written = new Int8Array(bytes(stored.levels).buffer);
  for (let row = 0; row < rows; row += 7) {
    for (let column = 0; column < columns; column += 5) {
      if (written[column * rows + row] !== expected.data[row * columns + column]) {
        throw new Error(`the level of row ${row} and column ${column} is elsewhere`);
      }
    }
  }
  expect(Buffer.compare(bytes(table.matrix.levels), new Uint8Array(expected.data.buffer))).toBe(0);
  for (const { scales } of [stored, table.matrix]) {
    expect(new Float32Array(bytes(scales).buffer)).toEqual(expected.scales);
  }
  expect(elements()).toBe(2 * values.length);
  expect(store.records.map(({ format }) => format)).toEqual(['channels', 'channels']);
  expect(store.records[0]!.squaredError).toBeCloseTo(expected.squaredError, 3);
});

test('half precision, which is for CUDA, keeps blocks', () => {
  const { store } = open('int8', 'fp16');
  expect(store.linear(linear).weight.form).toBe('blocks');
});

test('a dense linear has its inputs first', () => {
  const { store, bytes } = open('fp32', 'fp32');
  const stored = store.linear(linear).weight;
  if (stored.form !== 'dense') throw new Error('not dense');
  expect(stored.tensor.shape).toEqual([columns, rows]);
  const written = new Float32Array(bytes(stored.tensor).buffer);
  for (let row = 0; row < rows; row += 7) {
    for (let column = 0; column < columns; column += 5) {
      if (written[column * rows + row] !== values[row * columns + column]) {
        throw new Error(`the value of row ${row} and column ${column} is elsewhere`);
      }
    }
  }
});

test('a dense table stays as it is, padded with its first row', () => {
  const { store, bytes } = open('fp16', 'fp16');
  const storedRows = rows + 3;
  const stored = store.table({ name: 'table', kind: 'vocabulary', weight, use: 'both', storedRows });
  if (stored.form !== 'dense') throw new Error('not dense');
  expect(stored.tensor).toMatchObject({ dtype: 'float16', shape: [storedRows, columns] });
  const expected = new Float32Array(storedRows * columns);
  expected.set(values);
  for (let row = rows; row < storedRows; row++) expected.set(values.subarray(0, columns), row * columns);
  expect(Buffer.compare(bytes(stored.tensor), new Uint8Array(toFloat16(expected).buffer))).toBe(0);
});
