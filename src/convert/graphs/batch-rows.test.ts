/** A row of a batch is computed as the same row alone, bit by bit, in every form that matrices may get. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, expect, test } from 'vitest';
import { DataFileWriter } from '../onnx/data-file.js';
import type { Matrix } from '../weights/matrix.js';
import type { BlockFormat } from '../weights/quantize.js';
import { BLOCK_SIZES } from '../weights/quantize-choice.js';
import { WeightStore } from '../weights/weight-store.js';
import { LayerGraph } from './layers.js';

const folder = mkdtempSync(join(tmpdir(), 'calm-rows-'));
afterAll(() => rmSync(folder, { recursive: true }));

const outputs = 72;
const cases = ([8, 4] as const).flatMap(bits => BLOCK_SIZES[bits].map(size => [bits, size] as const));

/** A linear layer; sensitive ones get blocks, of the largest size that divides their inputs. */
async function openLinear(
  bits: 8 | 4,
  inputs: number,
  sensitive: boolean,
): Promise<{ session: InferenceSession; format: BlockFormat | 'channels' | null | undefined }> {
  const values = Float32Array.from({ length: outputs * inputs }, (_, i) => Math.sin(i * i));
  const weight: Matrix = {
    rows: outputs,
    columns: inputs,
    read: (from, to) => values.subarray(from * inputs, to * inputs),
  };
  const dataFile = `${bits}-${inputs}-${sensitive}.data`;
  const file = new DataFileWriter(join(folder, dataFile));
  const weightType = bits === 8 ? 'int8' : 'int4';
  const store = new WeightStore({ file, weightType, activationType: 'fp32', onStored() {} });
  const layers = new LayerGraph('linear', dataFile, store);
  const x = layers.graph.input('x', 'float32', ['B', inputs]);
  const y = layers.linear(x, {
    name: 'linear',
    kind: 'mlp',
    weight,
    bias: new Float32Array(outputs).fill(0.3),
    sensitive,
  });
  layers.graph.output('y', y, 'float32', ['B', outputs]);
  file.close();
  const path = join(folder, `${dataFile}.onnx`);
  writeFileSync(path, layers.graph.encode());
  const session = await InferenceSession.create(path, { intraOpNumThreads: 1 });
  return { session, format: store.records[0]?.format };
}

/** Runs rows of very different sizes alone and in batches of many. */
async function expectRowsOfTheirOwn(session: InferenceSession, inputs: number): Promise<void> {
  const rowCount = 33;
  const x = Float32Array.from(
    { length: rowCount * inputs },
    (_, i) => Math.cos(i * 0.7 + (i % 101)) * 10 ** (Math.floor(i / inputs) % 5),
  );
  const run = async (from: number, to: number): Promise<Float32Array> => {
    const rows = new Tensor('float32', x.slice(from * inputs, to * inputs), [to - from, inputs]);
    return (await session.run({ x: rows })).y!.data as Float32Array;
  };
  const alone: number[] = [];
  for (let row = 0; row < rowCount; row++) alone.push(...(await run(row, row + 1)));
  for (const count of [2, 3, 4, 7, 8, 16, 31, 33]) {
    expect([...(await run(0, count))]).toEqual(alone.slice(0, count * outputs));
  }
}

test.each(cases)('%i bits in blocks of %i', async (bits, blockSize) => {
  const inputs = 5 * blockSize;
  const { session, format } = await openLinear(bits, inputs, true);
  expect(format).toMatchObject({ bits: bits === 4 ? 8 : bits, blockSize });
  await expectRowsOfTheirOwn(session, inputs);
});

test.each([64, 160, 450, 1024])('one scale an output, %i inputs', async inputs => {
  const { session, format } = await openLinear(8, inputs, false);
  expect(format).toBe('channels');
  await expectRowsOfTheirOwn(session, inputs);
});

test('a row of zeros gives the bias, whatever stands beside it', async () => {
  const { session } = await openLinear(8, 96, false);
  const x = new Float32Array(3 * 96).fill(1e-3, 96, 192);
  const { y } = await session.run({ x: new Tensor('float32', x, [3, 96]) });
  const values = y!.data as Float32Array;
  const bias = new Array(outputs).fill(Math.fround(0.3));
  expect([...values.subarray(0, outputs)]).toEqual(bias);
  expect([...values.subarray(2 * outputs)]).toEqual(bias);
  expect([...values.subarray(outputs, 2 * outputs)]).not.toEqual(bias);
});
