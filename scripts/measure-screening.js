/**
 * Would it pay to screen the largest logit with eight-bit scores and a proved bound, and to compute in float32 only what
 * survives? Times the product with the vocabulary and the search for its largest entry as packages do them, and the
 * screening. Prints Markdown; docs/experiments/sampling-partial-decoding.md has its table.
 *
 *   npm run build && node scripts/measure-screening.js --threads 1 --vocabularies 4096,128256 --rows 1,8,64
 *
 * The table and the rows are Gaussian, rows of 512 as in the paper's autoencoder. The bound: |x . w - y . v| <= |x - y| |v| +
 * |x| |w - v| for the rounded row y and the rounded column v. Computing the survivors anew is not timed, which favours the
 * screening. Forms take turns, and the least time of each counts.
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
import { fillNormals } from '../dist/sampler/normal.js';

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: '1' },
    vocabularies: { type: 'string', default: '4096,128256' },
    size: { type: 'string', default: '512' },
    rows: { type: 'string', default: '1,8,64' },
    rounds: { type: 'string', default: '8' },
  },
});
const size = Number(options.size);
const rowCounts = options.rows.split(',').map(Number);
const library = OrtLibrary.load();
const environment = OrtEnvironment.open(library, { threads: Number(options.threads) });
const folder = mkdtempSync(join(tmpdir(), 'calm-screening-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

/** A Gaussian table [size, V], its eight-bit levels by column, and the norms that the bound needs. */
function makeTable(vocabulary) {
  const values = new Float32Array(size * vocabulary);
  for (let row = 0; row < size; row += 1)
    fillNormals(values, row * vocabulary, vocabulary, { seed: 1, step: row });
  const scales = new Float32Array(vocabulary);
  for (let i = 0; i < values.length; i += 1) {
    scales[i % vocabulary] = Math.max(scales[i % vocabulary], Math.abs(values[i]) / 127);
  }
  const levels = new Int8Array(values.length);
  const norms = new Float32Array(vocabulary);
  const errors = new Float32Array(vocabulary);
  for (let i = 0; i < values.length; i += 1) {
    const column = i % vocabulary;
    levels[i] = Math.round(values[i] / scales[column]);
    norms[column] += (levels[i] * scales[column]) ** 2;
    errors[column] += (values[i] - levels[i] * scales[column]) ** 2;
  }
  return { values, levels, scales, norms: norms.map(Math.sqrt), errors: errors.map(Math.sqrt) };
}

const norm = (graph, x) => graph.node('ReduceL2', [x, graph.int64([-1])]);

/** Rounded rows and the eight-bit scores, as an int8 package has them. */
function scores({ graph, store, x, vocabulary }, table) {
  const largest = graph.node('ReduceMax', [graph.node('Abs', [x]), graph.int64([-1])]);
  const zero = store('uint8', [], Uint8Array.of(128));
  const unit = graph.float32(1 / 127);
  const levels = graph.node('QuantizeLinear', [graph.node('Div', [x, largest]), unit, zero]);
  const weight = store('int8', [size, vocabulary], table.levels);
  const scales = store('float32', [vocabulary], table.scales);
  const product = graph.node('MatMulIntegerToFloat', [levels, weight, unit, scales, zero], {
    domain: MICROSOFT,
  });
  const rounded = graph.node('Mul', [graph.node('DequantizeLinear', [levels, unit, zero]), largest]);
  return { score: graph.node('Mul', [product, largest]), rounded };
}

const argmax = (graph, logits) => graph.node('ArgMax', [logits], { attributes: { axis: -1 } });

const FORMS = {
  'float32, largest': (context, table) => {
    const weight = context.store('float32', [size, context.vocabulary], table.values);
    return [argmax(context.graph, context.graph.node('MatMul', [context.x, weight])), 'int64'];
  },
  'int8, largest': (context, table) => [argmax(context.graph, scores(context, table).score), 'int64'],
  'int8 with the bound, survivors': (context, table) => {
    const { graph, store, x, vocabulary } = context;
    const { score, rounded } = scores(context, table);
    const ofRow = graph.node('Mul', [
      norm(graph, graph.node('Sub', [x, rounded])),
      store('float32', [vocabulary], table.norms),
    ]);
    const ofColumn = graph.node('Mul', [norm(graph, x), store('float32', [vocabulary], table.errors)]);
    const bound = graph.node('Add', [ofRow, ofColumn]);
    const least = graph.node('ReduceMax', [graph.node('Sub', [score, bound]), graph.int64([-1])]);
    const survives = graph.node('GreaterOrEqual', [graph.node('Add', [score, bound]), least]);
    const counted = graph.node('Cast', [survives], { attributes: { to: 1 } });
    return [graph.node('ReduceSum', [counted, graph.int64([-1])]), 'float32'];
  },
};

function openForm(form, vocabulary, table) {
  const path = join(folder, `${vocabulary} ${form}`);
  const file = new DataFileWriter(path);
  const graph = new GraphBuilder('screening', 'weights');
  const x = graph.input('x', 'float32', ['M', size]);
  const store = (type, shape, values) => {
    const name = `weight_${file.tensors.size}`;
    return graph.external({ name, ...file.append(name, type, shape, [values]) });
  };
  const [result, type] = FORMS[form]({ graph, store, x, vocabulary }, table);
  graph.output('y', result, type, ['M', 1]);
  file.close();
  const weights = Weights.open(library, path, Object.fromEntries(file.tensors));
  const source = { file: form, model: graph.encode(), initializers: graph.externals, weights };
  const session = Session.open(environment, source, 'cpu');
  weights.trim();
  return { session, type };
}

function bind({ session, type }, rows) {
  const binding = new Binding(session);
  const x = new TensorBuffer(session.hostAllocator, 'float32', rows * size);
  fillNormals(x.floats, 0, rows * size, { seed: 2, step: rows });
  const y = new TensorBuffer(session.hostAllocator, type, rows);
  binding.bindInput('x', x.tensor([rows, size]));
  binding.bindOutput('y', y.tensor([rows, 1]));
  return { binding, y };
}

for (const vocabulary of options.vocabularies.split(',').map(Number)) {
  const table = makeTable(vocabulary);
  const runs = Object.keys(FORMS).flatMap(form => {
    const opened = openForm(form, vocabulary, table);
    return rowCounts.map(rows => ({ form, rows, ...bind(opened, rows), ms: Number.POSITIVE_INFINITY }));
  });
  for (let round = 0; round < Number(options.rounds); round += 1) {
    for (const run of runs) {
      await run.binding.run();
      const startMs = performance.now();
      await run.binding.run();
      run.ms = Math.min(run.ms, performance.now() - startMs);
    }
  }
  console.log(`\n| ${size} x ${vocabulary}, ${options.threads} thread(s), ms | ${rowCounts.join(' | ')} |`);
  console.log(`|---|${rowCounts.map(() => '---|').join('')}`);
  for (const form of Object.keys(FORMS)) {
    const cells = runs.filter(run => run.form === form).map(({ ms }) => ms.toPrecision(3));
    console.log(`| ${form} | ${cells.join(' | ')} |`);
  }
  const survivors = runs
    .filter(({ form }) => form.endsWith('survivors'))
    .map(({ y, rows }) => y.floats.slice(0, rows).reduce((a, b) => a + b) / rows);
  console.log(`| survivors a row | ${survivors.map(count => count.toFixed(1)).join(' | ')} |`);
}
process.exit(0);
