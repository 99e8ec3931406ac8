/** What the figures of compare-engines.js belong to. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { runProgram } from '../run-program.js';

function versionIn(path) {
  return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')).version;
}

/** Processor, memory and versions; `llamaVersion` where the program cannot tell its own. */
export async function describeMachine({ llamaBatchedBench, llamaVersion }) {
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.availableParallelism(),
    memory_bytes: os.totalmem(),
    node: process.version,
    calm_serve: versionIn('../../package.json'),
    onnx_runtime: versionIn('../../node_modules/onnxruntime-node/package.json'),
    llama_cpp:
      llamaBatchedBench === undefined ? null : (llamaVersion ?? (await versionOf(llamaBatchedBench))),
  };
}

async function versionOf(program) {
  const { stdout, stderr } = await runProgram(program, ['--version']);
  return /^version: (.+)$/m.exec(`${stdout}\n${stderr}`)?.[1] ?? 'unknown';
}
