import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { GraphBuilder } from '../onnx/graph-builder.js';
import { addArgMax } from './arg-max.js';

async function argMax(
  rows: readonly (readonly number[])[],
  vocabSize: number,
  block: number,
): Promise<number[]> {
  const width = rows[0]!.length;
  const graph = new GraphBuilder('arg_max', 'unused');
  const logits = graph.input('logits', 'float32', ['N', width]);
  graph.output('tokens', addArgMax(graph, logits, { width, vocabSize, block }), 'int64', ['N']);
  const session = await InferenceSession.create(graph.encode(), { intraOpNumThreads: 1 });
  const values = new Tensor('float32', Float32Array.from(rows.flat()), [rows.length, width]);
  const { tokens } = await session.run({ logits: values });
  expect(tokens!.dims).toEqual([rows.length]);
  return Array.from(tokens!.data as BigInt64Array, Number);
}

const row = (width: number, peaks: Record<number, number>): number[] =>
  Array.from({ length: width }, (_, i) => peaks[i] ?? Math.sin(i) - 5);

test.each([
  ['in one pass', 12, 5],
  ['in blocks', 12, 4],
])('the largest logit, the lowest index on ties, %s', async (_, width, block) => {
  const rows = [
    row(width, { 0: 1 }),
    row(width, { 11: 1 }),
    row(width, { 6: 1, 7: 1 }),
    row(width, { 3: 1, 8: 1 }),
    row(width, { 5: 1, 9: 1.001 }),
    row(width, {}).fill(-7),
  ];
  expect(await argMax(rows, width, block)).toEqual([0, 11, 6, 3, 9, 0]);
});

test('columns beyond the vocabulary are token 0, even where rounding puts them above it', async () => {
  const rows = [
    row(12, { 0: 1, 10: 1, 11: 1 }),
    row(12, { 0: 1, 10: 1.000001, 11: 1 }),
    row(12, { 0: 1, 4: 2, 10: 1, 11: 1 }),
    row(12, { 9: 2, 10: 1, 11: 1 }),
  ];
  expect(await argMax(rows, 10, 4)).toEqual([0, 0, 4, 9]);
});
