/** `calm eval`: how good a model is, by scores that need no likelihoods. */
import type { Command } from 'commander';
import { CalmError } from '../errors.js';
import { defaultModels } from './default-models.js';
import type { EvalOptions } from './eval/eval-options.js';
import { evalPackages } from './eval/eval-package.js';
import { evalServer } from './eval/eval-server.js';
import { type EvalReport, evalJson, evalText } from './eval/report.js';
import { addModelOptions } from './model-options.js';
import { collect, wholeNumber } from './option-values.js';

const examples = `
Examples:
  calm eval --data stories.txt
  calm eval --model stories-k2 --model stories-baseline --data stories.txt
  calm eval --model ./calm-m --data wikitext.jsonl --concatenate --block 8192 --json
  calm eval --url http://127.0.0.1:8000#calm-m --tokenizer-from ./calm-m --data stories.txt --max-tokens 2000

Compare models at equal --block and --stride: the score depends on how much context there is. docs/evaluation.md says
what is measured.`;

/** Adds the sub-command to the program. */
export function registerEval(program: Command): void {
  const command = program
    .command('eval')
    .description(
      'Measure a model on text: BrierLM with its standard error, autoencoder accuracy, FLOPs a token.',
    )
    .option(
      '-m, --model <package>',
      'package folder, or the name of a model that comes with calm-serve; several are compared with the first',
      collect,
    )
    .option('--url <address>', 'instead: a model behind a completions server, http://host:port#model')
    .option(
      '--tokenizer-from <package>',
      'with --url: a package with the tokenizer and K of the served model',
    )
    .option('--text-prompts', 'with --url: send text, for servers that take or tell no token ids')
    .requiredOption('--data <file>', '.txt with <|endoftext|> lines between documents, or .jsonl with "text"')
    .option(
      '--block <tokens>',
      'tokens of text that a context may hold (default: what the model can)',
      wholeNumber(1),
    )
    .option('--samples <count>', 'draws a position (default: 4, for token models 2)', wholeNumber(2, 1024))
    .option(
      '--stride <tokens>',
      'tokens between positions (default: 4, or the next multiple of K)',
      wholeNumber(1),
    )
    .option('--concatenate', 'join the documents and cut them into blocks anywhere, like the published code')
    .option(
      '--document-tokens <count>',
      'score only the first tokens of each document: the least error for the time, on another scale',
      wholeNumber(1),
    )
    .option('--max-tokens <count>', 'score only the first tokens of the data', wholeNumber(1))
    .option('--seed <number>', 'key of all random numbers', wholeNumber(0), 1)
    .option('--json', 'print the figures as one JSON object');
  addModelOptions(command, ['device', 'ortLibrary', 'threads'])
    .addHelpText('after', examples)
    .action(async (options: EvalOptions) => {
      const reports = await evaluate(options);
      process.stdout.write(`${options.json ? evalJson(reports) : evalText(reports)}\n`);
    });
}

async function evaluate(options: EvalOptions): Promise<EvalReport[]> {
  const { model, url } = options;
  if (url === undefined) return evalPackages(model ?? defaultModels().slice(0, 1), options);
  if (model === undefined) return [await evalServer(url, options)];
  throw new CalmError('bad_usage', 'Name a package with --model or a server with --url, not both.');
}
