/** `calm bench`: the engine without HTTP, and how near it comes to what the machine can do. */
import type { Command } from 'commander';
import { openPackage, resolvePackage } from '../runtime/open-package.js';
import { OrtEnvironment } from '../runtime/ort/environment.js';
import { OrtLibrary } from '../runtime/ort/library.js';
import { benchJson, benchText } from './bench/report.js';
import { type BenchOptions, runBench } from './bench/run-bench.js';
import { modelsFolder } from './default-models.js';
import { addModelOptions } from './model-options.js';
import { listOf, numberBetween, wholeNumber } from './option-values.js';

interface BenchCommandOptions extends BenchOptions {
  readonly model: string;
  readonly json?: true;
}

const examples = `
Examples:
  calm bench --model stories-k2
  calm bench --model ./calm-m --batch 1,8,32 --context 512 --temperature 1,0.5 --json

tokens/s and step times are the engine's; graph times are those of each graph alone in a bare loop, in the same
process. Only figures of one run can be compared: machines are shared and their clocks drift.`;

/** Adds the sub-command to the program. */
export function registerBench(program: Command): void {
  const command = program
    .command('bench')
    .description(
      'Measure the engine without HTTP: tokens/s, milliseconds by part, share of the read bandwidth.',
    )
    .requiredOption('--model <package>', 'package folder, or the name of a model that comes with calm-serve')
    .option('--batch <counts>', 'rows that decode at once', listOf(wholeNumber(1, 4096)), [1, 8, 32])
    .option('--context <tokens>', 'tokens in each row when the clock starts', wholeNumber(1), 512)
    .option('--steps <count>', 'steps to time', wholeNumber(1, 100_000), 64)
    .option('--temperature <numbers>', 'temperatures', listOf(numberBetween(0, 2)), [1])
    .option('--num-candidates <counts>', 'candidates of a step', listOf(wholeNumber(1, 65_536)), [200])
    .option('--profile', 'also tell where the time of a step goes, operator by operator')
    .option('--json', 'print the figures as one JSON object');
  addModelOptions(command)
    .addHelpText('after', examples)
    .action(async (options: BenchCommandOptions) => {
      const source = openPackage(resolvePackage(options.model, modelsFolder));
      const environment = OrtEnvironment.open(OrtLibrary.load(options.ortLibrary), {
        threads: options.threads,
      });
      try {
        const report = await runBench(environment, source, options, line =>
          process.stderr.write(`${line} ...\n`),
        );
        console.log((options.json ? benchJson : benchText)(report));
      } finally {
        environment.close();
      }
    });
}
