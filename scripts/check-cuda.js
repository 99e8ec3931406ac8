/**
 * `npm run check:cuda`: what must hold on a device before anyone relies on it, as one table. Float16 packages are
 * verified against recorded PyTorch outputs, benchmarked, and soaked with 1,000 checked requests over HTTP.
 *
 *   npm run check:cuda                                   # a machine with a GPU and a CUDA build of ONNX Runtime
 *   npm run check:cuda -- --ort-library /opt/onnxruntime/libonnxruntime.so --write docs/performance.md
 *   npm run check:cuda -- --device cpu --model <float16 package>    # the same checks without a GPU: does the script work
 *
 * Without --model the benchmark and the soak make packages of the paper's shapes with random weights (`calm synth`).
 * Without a usable GPU the table says "not run: no GPU", standard error says why, and the exit code is 0, since nothing
 * was found to be wrong; with --require-device it is 1. It is 1 where a check failed. --write puts the table between the lines
 * <!-- check-cuda --> and <!-- /check-cuda --> of a Markdown file.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { benchAll, findObstacle, makePackages, soak, verifyAll } from './check-cuda/steps.js';
import { describeMachine, table, writeBetweenMarks } from './check-cuda/table.js';

const { values: options } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    'ort-library': { type: 'string' },
    model: { type: 'string', multiple: true, default: [] },
    batch: { type: 'string', default: '1,8,32' },
    context: { type: 'string', default: '512' },
    steps: { type: 'string', default: '64' },
    requests: { type: 'string', default: '1000' },
    concurrency: { type: 'string', default: '32' },
    write: { type: 'string' },
    'require-device': { type: 'boolean', default: false },
  },
});
if (!['cuda', 'cpu'].includes(options.device)) {
  process.stderr.write(`check:cuda: --device must be cuda or cpu. Given: ${options.device}.\n`);
  process.exit(2);
}

const obstacle = await findObstacle(options);
const rows = [];
if (obstacle !== null) {
  process.stderr.write(`No GPU can be used: ${obstacle}\n`);
  rows.push({ check: 'verify, bench, soak', subject: '', result: 'not run: no GPU', ok: null });
} else {
  const packages = makePackages(options);
  try {
    for (const step of [verifyAll, benchAll, soak]) {
      for await (const row of step(options, packages)) {
        process.stderr.write(`${row.ok ? 'ok  ' : 'FAIL'} ${row.check} ${row.subject}: ${row.result}\n`);
        rows.push(row);
      }
    }
  } finally {
    packages.remove();
  }
}

const text = `${describeMachine(options, obstacle === null)}\n\n${table(rows)}`;
console.log(text);
if (options.write) {
  writeFileSync(options.write, writeBetweenMarks(readFileSync(options.write, 'utf8'), text, options.write));
}
const failed = rows.some(({ ok }) => ok === false);
process.exitCode = failed || (obstacle !== null && options['require-device']) ? 1 : 0;
