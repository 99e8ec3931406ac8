/** The programs that compare-engines.js holds against one another: how each is run, and what its output says. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runProgram } from '../run-program.js';

const pathOf = path => fileURLToPath(new URL(path, import.meta.url));
const calm = pathOf('../../bin/calm.js');

/** llama.cpp pads each sequence's cache to a multiple of this. */
const CACHE_CELLS = 256;

/**
 * The C reader of this folder, compiled for this machine.
 *
 * @returns its path, and `remove`
 * @throws Error where there is no C compiler
 */
export async function compileReader() {
  const folder = mkdtempSync(join(tmpdir(), 'calm-reader-'));
  const remove = () => rmSync(folder, { recursive: true });
  const file = join(folder, 'read-bandwidth');
  try {
    const flags = ['-O3', '-march=native', '-pthread'];
    await runProgram('cc', [...flags, pathOf('./read-bandwidth.c'), '-o', file]);
    return { file, remove };
  } catch (error) {
    remove();
    throw new Error(`The C reader cannot be compiled (${error.message}); name a program with --c-reader.`);
  }
}

/** Commands of one sitting, words each; null for what takes no part in it. */
export function commandsOf({ context, batch, models }, settings) {
  const { threads, steps, llamaBatchedBench, gguf, llamaArguments } = settings;
  const cells = batch * Math.ceil((context + steps) / CACHE_CELLS) * CACHE_CELLS;
  const load = ['--batch', batch, '--context', context, '--steps', steps, '--threads', threads];
  const shape = ['-npp', context, '-ntg', steps, '-npl', batch];
  const where = ['-c', cells, '-b', 2048, '-ub', 512, '-t', threads];
  const named = models.flatMap(model => ['--model', model]);
  const words = list => list.map(String);
  return {
    reader: [settings.cReader, String(threads)],
    calm: [process.execPath, calm, ...words(['bench', ...named, ...load, '--no-graph-times', '--json'])],
    llama:
      llamaBatchedBench === undefined || models.length < 2
        ? null
        : [
            llamaBatchedBench,
            ...words(['-m', gguf, ...where, ...shape, ...llamaArguments, '--output-format', 'jsonl']),
          ],
  };
}

/** Bytes a second of a program that prints "threads 2 read 41.3 GB/s", with the number of threads that it was asked for. */
export async function runReader([file, threads]) {
  const { stdout } = await runProgram(file, [threads]);
  const rate = new RegExp(`^threads ${threads} read ([\\d.]+) GB/s$`, 'm').exec(stdout)?.[1];
  if (rate === undefined)
    throw new Error(`${file} printed no line such as "threads ${threads} read 41.3 GB/s".`);
  return Number(rate) * 1e9;
}

/** A command as it is reported: by the names of programs, without the folders where they lie here. */
export function commandText([file, ...args]) {
  return (args[0] === calm ? ['calm', ...args.slice(1)] : [basename(file), ...args]).join(' ');
}

/** The runs of `calm bench`, one a model, in the order in which they were named. */
export async function runCalm([file, ...args]) {
  const { stdout } = await runProgram(file, args);
  return JSON.parse(stdout).runs;
}

/** The line of llama-batched-bench for the one point that it was asked for. */
export async function runLlama([file, ...args]) {
  const { stdout, stderr } = await runProgram(file, args);
  const line = `${stdout}\n${stderr}`
    .split('\n')
    .find(text => text.startsWith('{') && text.includes('speed_tg'));
  if (line === undefined) {
    throw new Error(`${file} gave no figures: this needs a version with --output-format jsonl.`);
  }
  return JSON.parse(line);
}
