/** The checks of check-cuda.js. Each runs the commands that a user would, and yields one row a package. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../run-program.js';
import { startServer } from '../start-server.js';

const pathOf = path => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const calm = pathOf('bin/calm.js');
const loadtest = pathOf('dist-loadtest/main.js');

/** Golden checkpoints whose outputs PyTorch recorded: a CALM and a token model. */
const goldenCases = [
  { name: 'energy-k4', autoencoder: true },
  { name: 'llama-tied-gqa', autoencoder: false },
];
const synthShapes = ['calm-m', 'transformer-s'];

/** Why the wanted device cannot be used, in a sentence; null where it can. */
export async function findObstacle({ device, 'ort-library': file }) {
  if (device === 'cpu') return null;
  const { OrtEnvironment } = await import('../../dist/runtime/ort/environment.js');
  const { OrtLibrary } = await import('../../dist/runtime/ort/library.js');
  const { probeCuda } = await import('../../dist/runtime/ort/session-options.js');
  let environment = null;
  try {
    const found = OrtLibrary.load(file ?? process.env.CALM_ORT_LIBRARY);
    environment = OrtEnvironment.open(found, { threads: 1 });
    probeCuda(found);
    return null;
  } catch (error) {
    return error.message;
  } finally {
    environment?.close();
  }
}

/** A temporary folder for packages, and those that the user named. */
export function makePackages({ model }) {
  const folder = mkdtempSync(join(tmpdir(), 'calm-check-cuda-'));
  return {
    named: model,
    folder,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** float16 conversions of the golden checkpoints against what PyTorch recorded. */
export async function* verifyAll({ device, 'ort-library': file }, { folder }) {
  for (const { name, autoencoder } of goldenCases) {
    const golden = pathOf(`tests/golden/${name}`);
    const out = join(folder, `${name}-fp16`);
    const source = [
      join(golden, 'checkpoint'),
      ...(autoencoder ? ['--autoencoder', join(golden, 'autoencoder')] : []),
    ];
    yield await attempt('verify', basename(out), async () => {
      await run([calm, 'convert', ...source, '--weights', 'fp16', '--out', out]);
      const recorded = ['--golden', join(golden, 'golden.safetensors'), '--device', device, '--json'];
      const { stdout } = await run([calm, 'verify', out, ...recorded, ...library(file)], [0, 1]);
      const { ok, checks } = JSON.parse(stdout);
      const worst = checks.map(({ error, tolerance }) => (error === null ? Infinity : error / tolerance));
      const failed = checks.filter(check => !check.ok).map(check => check.name);
      const share = Math.max(...worst).toFixed(2);
      return {
        ok,
        result: ok
          ? `${checks.length} comparisons with PyTorch, the largest error is ${share} of its tolerance`
          : `beyond tolerance: ${failed.join(', ')}`,
      };
    });
  }
}

/** The engine without HTTP. */
export async function* benchAll(options, packages) {
  const { device, batch, context, steps, 'ort-library': file } = options;
  for (const model of await timedPackages(packages)) {
    yield await attempt('bench', basename(model), async () => {
      const load = ['--batch', batch, '--context', context, '--steps', steps, '--device', device];
      const { stdout } = await run([calm, 'bench', '--model', model, ...load, '--json', ...library(file)]);
      const rows = JSON.parse(stdout).runs[0].rows.map(
        row =>
          `batch ${row.batch}: ${row.tokens_per_second.toFixed(0)} tokens/s, ${row.step_ms.toFixed(2)} ms a step`,
      );
      return { ok: true, result: `${rows.join('; ')} (context ${context} tokens)` };
    });
  }
}

/** Many checked requests over HTTP; afterwards no slot may be held and no step may have failed. */
export async function* soak(options, packages) {
  const [model] = await timedPackages(packages);
  yield await attempt('soak', basename(model), async () => {
    const server = await serve(model, options);
    try {
      const report = await sendRequests(server, options);
      const [row] = report.rows;
      const metrics = await (await fetch(`${server.url}/metrics`)).text();
      const held =
        metric(metrics, 'vllm:num_requests_running') + metric(metrics, 'vllm:num_requests_waiting');
      const failedSteps = metric(metrics, 'calm:failed_steps_total');
      const text =
        `${row?.requests ?? 0} requests, ${row?.failed ?? 'all'} failed, ${row?.tokens_per_second.toFixed(0) ?? 0} ` +
        `tokens/s, first token p50 ${row?.ttft_ms.p50?.toFixed(0)} p99 ${row?.ttft_ms.p99?.toFixed(0)} ms; ` +
        `afterwards ${held} requests held and ${failedSteps} failed steps`;
      const problem = report.targets[0]?.problem ?? row?.failures[0]?.example;
      const ok = report.ok && row?.requests === Number(options.requests) && held === 0 && failedSteps === 0;
      return { ok, result: problem ? `${text}. ${problem}` : text };
    } finally {
      await server.end();
    }
  });
}

async function sendRequests({ url, pid }, { requests, concurrency }) {
  const load = [
    '--requests',
    requests,
    '--concurrency',
    concurrency,
    '--repetitions',
    '1',
    '--raw-requests',
    '0',
  ];
  const texts = ['--prompts', 'random', '--input-tokens', '96', '--output-tokens', '64', '--allow-loops'];
  const target = ['--target', `soaked=${url}`, '--server-pid', String(pid), '--timeout', '600'];
  const { stdout } = await run([loadtest, ...target, ...load, ...texts, '--json'], [0, 1]);
  return JSON.parse(stdout);
}

/** The named packages; without any, float16 ones of the paper's shapes, made once. */
async function timedPackages(packages) {
  if (packages.named.length > 0) return packages.named;
  packages.named = [];
  for (const shape of synthShapes) {
    const out = join(packages.folder, `${shape}-fp16`);
    await run([calm, 'synth', shape, '--weights', 'fp16', '--out', out]);
    packages.named.push(out);
  }
  return packages.named;
}

function library(file) {
  return file === undefined ? [] : ['--ort-library', file];
}

function metric(text, name) {
  const values = [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'gm'))];
  return values.reduce((sum, [, value]) => sum + Number(value), 0);
}

/** A row whatever happens: what is thrown is the result. */
async function attempt(check, subject, work) {
  try {
    return { check, subject, ...(await work()) };
  } catch (error) {
    return { check, subject, ok: false, result: error.message };
  }
}

/** Runs Node on a program; throws its last words where its exit code is not one of `codes`. */
function run(args, codes) {
  return runProgram(process.execPath, args, codes);
}

function serve(model, { device, concurrency, 'ort-library': file }) {
  const where = ['--device', device, ...library(file), '--max-num-seqs', concurrency];
  return startServer(['--model', model, ...where, '--disable-access-log-for', '*'], { keepsLog: true });
}
