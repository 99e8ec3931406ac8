/** `calm convert`: a Hugging Face checkpoint folder to a model package. */
import type { Command } from 'commander';
import { type ConvertOptions, convertCheckpoint } from '../convert/convert.js';
import { reportJson, reportText, withProgress } from './convert-progress.js';
import { addWeightOptions, headStepsOption } from './weight-options.js';

/** Adds the sub-command to the program. */
export function registerConvert(program: Command): void {
  const command = program
    .command('convert')
    .description('Turn a Hugging Face checkpoint folder into a model package that `calm serve` reads.')
    .argument('<checkpoint>', 'folder with config.json and weights: a CALM or a LlamaForCausalLM')
    .option('--autoencoder <folder>', "the CALM's autoencoder; by default the copy inside the checkpoint")
    .requiredOption('--out <folder>', 'package folder to write');
  addWeightOptions(command, '; fp16 is what CUDA needs (default: fp16 with fp16 weights, else fp32)')
    .option('--tokenizer <file>', 'tokenizer.model (tiktoken ranks) or tokenizer.json from elsewhere')
    .addOption(headStepsOption())
    .option('--name <name>', "the model's name (default: name of the package folder)")
    .option('--card <file>', 'Markdown file to stand first in the model card')
    .option('--force', 'replace an existing package folder')
    .option('--json', 'print the report as one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  calm convert CALM-M --autoencoder CALM-Autoencoder --out models/calm-m --weights int8
  calm convert SmolLM-135M --out models/smollm --weights int4`,
    )
    .action((checkpoint: string, options: Omit<ConvertOptions, 'checkpoint'> & { json?: true }) => {
      const report = withProgress('Converting', onProgress =>
        convertCheckpoint({ ...options, checkpoint }, onProgress),
      );
      console.log((options.json ? reportJson : reportText)(options.out, report));
    });
}
