/**
 * The tables of docs/experiments/performance-matrix-products.md: one matrix product in the forms that a package could
 * store it in, alone and in batches. Prints Markdown, milliseconds of one product.
 *
 *   npm run build && node scripts/measure-matrix-products.js --threads 2 --shapes 1024x5504,512x128512 --rows 1,4,8,32,100
 *
 * Each form is a graph of many products with weights of their own, so that they come from memory and not from a cache;
 * forms and numbers of rows take turns, and the least time of each counts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DataFileWriter } from '../dist/convert/onnx/data-file.js';
import { GraphBuilder, MICROSOFT } from '../dist/convert/onnx/graph-builder.js';
import { Binding } from '../dist/runtime/ort/binding.js';
import { OrtEnvironment } from '../dist/runtime/ort/environment.js';
import { OrtLibrary } from '../dist/runtime/ort/library.js';
import { Session } from '../dist/runtime/ort/session.js';
import { TensorBuffer } from '../dist/runtime/ort/tensor-buffer.js';
import { Weights } from '../dist/runtime/ort/weights.js';

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: '2' },
    shapes: { type: 'string', default: '1024x5504,2752x1024,512x128512' },
    rows: { type: 'string', default: '1,4,8,32,100' },
    rounds: { type: 'string', default: '6' },
    megabytes: { type: 'string', default: '120' },
  },
});
const rowCounts = options.rows.split(',').map(Number);
const library = OrtLibrary.load();
const environment = OrtEnvironment.open(library, { threads: Number(options.threads) });
const folder = mkdtempSync(join(tmpdir(), 'calm-products-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** Bytes that no two matrices have in common: equal ones would be packed once. */
function bytes(count) {
  const values = new Uint8Array(count);
  for (let at = 0; at < count; at += 65_536) {
    crypto.getRandomValues(values.subarray(at, Math.min(count, at + 65_536)));
  }
  return values;
}

/** Levels of rows by their own largest value, as the converter's graphs make them. */
function quantizedRows({ graph, store, x }) {
  const scale = graph.node('ReduceMax', [graph.node('Abs', [x]), graph.int64([-1])]);
  const zero = store('uint8', [], Uint8Array.of(128));
  const levels = graph.node('QuantizeLinear', [graph.node('Div', [x, scale]), graph.float32(1 / 127), zero]);
  return { levels, scale, zero };
}

function byOutput(context, weight, zeros = []) {
  const { graph, store, outputs } = context;
  const { levels, scale, zero } = quantizedRows(context);
  const scales = store('float32', [outputs], new Float32Array(outputs).fill(0.01));
  const operands = [levels, weight, graph.float32(1 / 127), scales, zero, ...zeros];
  return graph.node('Mul', [graph.node('MatMulIntegerToFloat', operands, { domain: MICROSOFT }), scale]);
}

function blocks({ graph, store, x, inputs: K, outputs: N }, bits, blockSize) {
  const count = K / blockSize;
  const data = store('uint8', [N, count, (blockSize * bits) / 8], bytes((N * K * bits) / 8));
  const scales = store('float32', [N, count], new Float32Array(N * count).fill(0.01));
  const attributes = { K, N, bits, block_size: blockSize, accuracy_level: 4 };
  return graph.node('MatMulNBits', [x, data, scales], { domain: MICROSOFT, attributes });
}

const FORMS = {
  blocks: context => blocks(context, 8, 64),
  '4 bits': context => blocks(context, 4, 32),
  'by output': context => {
    const { store, inputs, outputs } = context;
    return byOutput(context, store('int8', [inputs, outputs], bytes(inputs * outputs)));
  },
  unsigned: context => {
    const { store, inputs, outputs } = context;
    const weight = store('uint8', [inputs, outputs], bytes(inputs * outputs));
    return byOutput(context, weight, [store('uint8', [], Uint8Array.of(128))]);
  },
  'whole batch': ({ graph, store, x, inputs, outputs }) => {
    const weight = store('int8', [inputs, outputs], bytes(inputs * outputs));
    const scales = store('float32', [outputs], new Float32Array(outputs).fill(0.01));
    return graph.node('DynamicQuantizeMatMul', [x, weight, scales], { domain: MICROSOFT });
  },
};

/** A graph of `copies` products of one form over one input. */
function openForm(form, inputs, outputs, copies) {
  const path = join(folder, `${inputs}x${outputs} ${form}`);
  const file = new DataFileWriter(path);
  const graph = new GraphBuilder('products', 'weights');
  const x = graph.input('x', 'float32', ['M', inputs]);
  const store = (type, shape, values) => {
    const name = `weight_${file.tensors.size}`;
    return graph.external({ name, ...file.append(name, type, shape, [values]) });
  };
  for (let copy = 0; copy < copies; copy += 1) {
    const product = FORMS[form]({ graph, store, x, inputs, outputs });
    graph.output(`y${copy}`, product, 'float32', ['M', outputs]);
  }
  file.close();
  const weights = Weights.open(library, path, Object.fromEntries(file.tensors));
  const source = { file: form, model: graph.encode(), initializers: graph.externals, weights };
  const session = Session.open(environment, source, 'cpu');
  weights.trim();
  return session;
}

function bind(session, rows, inputs, outputs, copies) {
  const binding = new Binding(session);
  const x = new TensorBuffer(session.hostAllocator, 'float32', rows * inputs);
  x.floats.forEach((_, index, floats) => {
    floats[index] = Math.sin(index);
  });
  const y = new TensorBuffer(session.hostAllocator, 'float32', rows * outputs);
  binding.bindInput('x', x.tensor([rows, inputs]));
  for (let copy = 0; copy < copies; copy += 1) binding.bindOutput(`y${copy}`, y.tensor([rows, outputs]));
  return binding;
}

for (const shape of options.shapes.split(',')) {
  const [inputs, outputs] = shape.split('x').map(Number);
  const copies = Math.max(2, Math.round((Number(options.megabytes) * 1e6) / (inputs * outputs)));
  const runs = Object.keys(FORMS).flatMap(form => {
    const session = openForm(form, inputs, outputs, copies);
    return rowCounts.map(rows => ({
      form,
      rows,
      binding: bind(session, rows, inputs, outputs, copies),
      ms: Number.POSITIVE_INFINITY,
    }));
  });
  for (let round = 0; round < Number(options.rounds); round += 1) {
    for (const run of runs) {
      await run.binding.run();
      const startMs = performance.now();
      await run.binding.run();
      run.ms = Math.min(run.ms, (performance.now() - startMs) / copies);
    }
  }
  console.log(`\n| ${inputs} x ${outputs}, ${options.threads} threads | ${rowCounts.join(' | ')} |`);
  console.log(`|---|${rowCounts.map(() => '---|').join('')}`);
  for (const form of Object.keys(FORMS)) {
    const cells = runs.filter(run => run.form === form).map(({ ms }) => ms.toPrecision(3));
    console.log(`| ${form} | ${cells.join(' | ')} |`);
  }
}
process.exit(0);
