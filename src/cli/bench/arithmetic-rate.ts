/** How fast this machine multiplies matrices: the floor under a decode step at large batches. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataFileWriter } from '../../convert/onnx/data-file.js';
import { type ExternalTensor, GraphBuilder, MICROSOFT } from '../../convert/onnx/graph-builder.js';
import { Binding } from '../../runtime/ort/binding.js';
import type { OrtEnvironment } from '../../runtime/ort/environment.js';
import { HandleStack } from '../../runtime/ort/handle.js';
import { Session } from '../../runtime/ort/session.js';
import { TensorBuffer } from '../../runtime/ort/tensor-buffer.js';
import { Weights } from '../../runtime/ort/weights.js';

/** Large enough that reading the matrix and starting the threads do not count. */
const ROWS = 256;
const INPUTS = 1024;
const OUTPUTS = 4096;
/** The fastest counts, because every disturbance only slows a run down. */
const RUNS = 25;

export type Arithmetic = 'int8' | 'float32';

/** Operations per second, two for each multiply-add, of ONNX Runtime's own product on the environment's threads. */
export async function measureArithmeticRate(
  environment: OrtEnvironment,
  arithmetic: Arithmetic,
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'calm-rate-'));
  const owned = new HandleStack();
  try {
    const path = join(folder, 'weights');
    const { graph, tensors } = productGraph(arithmetic, path);
    const weights = owned.own(Weights.open(environment.library, path, tensors));
    const source = { file: 'product', model: graph.encode(), initializers: graph.externals, weights };
    const session = owned.own(Session.open(environment, source, 'cpu'));
    const binding = owned.own(new Binding(session));
    const inputType = arithmetic === 'int8' ? 'uint8' : 'float32';
    const x = owned.own(new TensorBuffer(session.hostAllocator, inputType, ROWS * INPUTS));
    x.integers.fill(0x3f3f3f3f);
    const y = owned.own(new TensorBuffer(session.hostAllocator, 'float32', ROWS * OUTPUTS));
    binding.bindInput('x', x.tensor([ROWS, INPUTS]));
    binding.bindOutput('y', y.tensor([ROWS, OUTPUTS]));
    let fastestMs = Number.POSITIVE_INFINITY;
    for (let run = 0; run < RUNS; run += 1) {
      const startMs = performance.now();
      await binding.run();
      fastestMs = Math.min(fastestMs, performance.now() - startMs);
    }
    return (2 * ROWS * INPUTS * OUTPUTS) / (fastestMs / 1000);
  } finally {
    owned.close();
    rmSync(folder, { recursive: true });
  }
}

function productGraph(arithmetic: Arithmetic, path: string) {
  const file = new DataFileWriter(path);
  const graph = new GraphBuilder('product', 'weights');
  const constant = (
    name: string,
    type: ExternalTensor['dtype'],
    shape: number[],
    values: NodeJS.ArrayBufferView,
  ) => graph.external({ name, ...file.append(name, type, shape, [values]) });
  const size = INPUTS * OUTPUTS;
  const product =
    arithmetic === 'float32'
      ? graph.node('MatMul', [
          graph.input('x', 'float32', [ROWS, INPUTS]),
          constant('weight', 'float32', [INPUTS, OUTPUTS], new Float32Array(size).fill(0.5)),
        ])
      : graph.node(
          'MatMulIntegerToFloat',
          [
            graph.input('x', 'uint8', [ROWS, INPUTS]),
            constant('weight', 'int8', [INPUTS, OUTPUTS], new Int8Array(size).fill(3)),
            graph.float32(1),
            constant('scales', 'float32', [OUTPUTS], new Float32Array(OUTPUTS).fill(1)),
            constant('zero', 'uint8', [], Uint8Array.of(128)),
          ],
          { domain: MICROSOFT },
        );
  graph.output('y', product, 'float32', [ROWS, OUTPUTS]);
  file.close();
  return { graph, tensors: Object.fromEntries(file.tensors) };
}
