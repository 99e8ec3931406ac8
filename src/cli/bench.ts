/** `calm bench`: the engine without HTTP, and how near it comes to what the machine can do. */
import type { Command } from 'commander';
import { openPackage, resolvePackage } from '../runtime/open-package.js';
import { OrtEnvironment } from '../runtime/ort/environment.js';
import { OrtLibrary } from '../runtime/ort/library.js';
import { benchJson, benchText } from './bench/report.js';
import { type BenchOptions, type BenchReport, runBench } from './bench/run-bench.js';
import { modelsFolder } from './default-models.js';
import { addModelOptions } from './model-options.js';
import { collect, listOf, numberBetween, wholeNumber } from './option-values.js';

interface BenchCommandOptions extends BenchOptions {
  readonly model: readonly string[];
  /** Undefined for the runtime's own choice. */
  readonly threads?: readonly number[];
  readonly json?: true;
}

const examples = `
Examples:
  calm bench --model stories-k2
  calm bench --model ./calm-m --batch 1,8,32 --context 128,512 --temperature 1,0.5 --json
  calm bench --model ./calm-m --model ./transformer-s       each over the last one, beside the ratio of their rooflines
  calm bench --model ./calm-m-fp32 --model ./calm-m-int8 --threads 1,2      the same weights in two types

tokens/s and step times are the engine's; graph times are those of each graph alone in a bare loop, in the same
process. Only figures of one run can be compared: machines are shared and their clocks drift. Several models take turns
at every point. With --json there is one object: "runs", one for each model and number of threads, and "comparisons".`;

/** Adds the sub-command to the program. */
export function registerBench(program: Command): void {
  const command = program
    .command('bench')
    .description(
      'Measure the engine without HTTP: tokens/s, milliseconds by part, share of the read bandwidth.',
    )
    .requiredOption(
      '-m, --model <package>',
      'package folder, or the name of a model that comes with calm-serve; may be repeated, also to compare weight types',
      collect,
    )
    .option('--batch <counts>', 'rows that decode at once', listOf(wholeNumber(1, 4096)), [1, 8, 32])
    .option('--context <tokens>', 'tokens in each row when the clock starts', listOf(wholeNumber(1)), [512])
    .option('--steps <count>', 'steps to time', wholeNumber(1, 100_000), 64)
    .option('--temperature <numbers>', 'temperatures', listOf(numberBetween(0, 2)), [1])
    .option('--num-candidates <counts>', 'candidates of a step', listOf(wholeNumber(1, 65_536)), [200])
    .option('--no-graph-times', 'leave out the times of each graph alone, which take as long as all the rest')
    .option('--profile', 'also tell where the time of a step goes, operator by operator')
    .option('--json', 'print the figures as one JSON object');
  addModelOptions(command);
  // One number elsewhere, an axis here.
  const threads = command.options.find(({ long }) => long === '--threads');
  threads?.argParser(listOf(wholeNumber(1, 1024)));
  if (threads)
    threads.description = 'threads of the native library, one number or several (default: one for each core)';
  command.addHelpText('after', examples).action(async (options: BenchCommandOptions) => {
    const reports = await benchAll(options, line => process.stderr.write(`${line} ...\n`));
    console.log((options.json ? benchJson : benchText)(reports));
  });
}

async function benchAll(
  { model, threads = [], ...options }: BenchCommandOptions,
  onProgress: (line: string) => void,
): Promise<BenchReport[]> {
  const sources = model.map(name => openPackage(resolvePackage(name, modelsFolder)));
  const library = OrtLibrary.load(options.ortLibrary);
  const reports: BenchReport[] = [];
  for (const count of threads.length > 0 ? threads : [undefined]) {
    const environment = OrtEnvironment.open(library, { threads: count });
    try {
      reports.push(...(await runBench(environment, sources, options, onProgress)));
    } finally {
      environment.close();
    }
  }
  return reports;
}
