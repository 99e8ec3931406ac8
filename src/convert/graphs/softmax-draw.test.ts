import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../onnx/graph-builder.js';
import { addSoftmaxDraw } from './softmax-draw.js';

async function openDraw(vocabSize: number): Promise<InferenceSession> {
  const graph = new GraphBuilder('draw', 'unused');
  const tokens = addSoftmaxDraw(graph, {
    logits: graph.input('logits', 'float32', ['B', vocabSize]),
    inverseTemperature: graph.input('inverse_temperature', 'float32', ['B', 1]),
    uniform: graph.input('uniform', 'float32', ['B', 1]),
    vocabSize,
  });
  graph.output('tokens', tokens, 'int64', ['B', 1]);
  return InferenceSession.create(graph.encode(), { intraOpNumThreads: 1 });
}

interface Row {
  readonly logits: readonly number[];
  readonly inverseTemperature: number;
  readonly uniform: number;
}

async function draw(session: InferenceSession, rows: readonly Row[]): Promise<number[]> {
  const column = (values: number[], width = 1) =>
    new Tensor('float32', Float32Array.from(values), [rows.length, width]);
  const { tokens } = await session.run({
    logits: column(
      rows.flatMap(({ logits }) => [...logits]),
      rows[0]!.logits.length,
    ),
    inverse_temperature: column(rows.map(row => row.inverseTemperature)),
    uniform: column(rows.map(row => row.uniform)),
  });
  expect(tokens!.dims).toEqual([rows.length, 1]);
  return Array.from(tokens!.data as BigInt64Array, Number);
}

/** Exclusive and inclusive cumulative probability of a token. */
function interval({ logits, inverseTemperature }: Row, token: number): [number, number] {
  const largest = Math.max(...logits);
  const weights = logits.map(logit => Math.exp((logit - largest) * inverseTemperature));
  const sum = (end: number): number => weights.slice(0, end).reduce((a, b) => a + b, 0);
  return [sum(token) / sum(logits.length), sum(token + 1) / sum(logits.length)];
}

const greatestUniform = 1 - 2 ** -24;

describe.each([3, 512, 513, 1500])('vocabulary of %i', vocabSize => {
  test('the token whose interval holds the draw', async () => {
    const session = await openDraw(vocabSize);
    const rows = Array.from({ length: 40 }, (_, i) => ({
      logits: Array.from({ length: vocabSize }, (_, token) => Math.fround(4 * Math.sin(token * token + i))),
      inverseTemperature: 1 + (i % 3),
      uniform: Math.fround((i * 0.618) % 1),
    }));
    const tokens = await draw(session, rows);
    for (const [i, token] of tokens.entries()) {
      const [from, to] = interval(rows[i]!, token);
      expect(from - 1e-6).toBeLessThanOrEqual(rows[i]!.uniform);
      expect(to + 1e-6).toBeGreaterThan(rows[i]!.uniform);
    }
  });

  test('temperature 0 is the largest logit, whatever the draw', async () => {
    const session = await openDraw(vocabSize);
    for (const best of [0, Math.floor(vocabSize / 2), vocabSize - 1]) {
      const logits = Array.from({ length: vocabSize }, (_, token) =>
        token === best ? 20.001 : 20 - (token % 7),
      );
      for (const uniform of [0, 0.5, greatestUniform]) {
        expect(await draw(session, [{ logits, inverseTemperature: 1e6, uniform }])).toEqual([best]);
      }
    }
  });

  test('a token without probability is never drawn, however the sum of the others is rounded', async () => {
    const session = await openDraw(vocabSize);
    const first = 1;
    for (let last = first; last < vocabSize - 1; last += Math.ceil(vocabSize / 25)) {
      const logits = Array.from({ length: vocabSize }, (_, token) =>
        token >= first && token <= last ? Math.fround(0.01 * Math.sin(token * last)) : -200,
      );
      const row = { logits, inverseTemperature: 1 };
      expect(await draw(session, [{ ...row, uniform: 0 }])).toEqual([first]);
      expect(await draw(session, [{ ...row, uniform: greatestUniform }])).toEqual([last]);
    }
  });
});
