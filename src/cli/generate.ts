/** `calm generate`: one completion on the terminal, by the same path as a request to the server. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CalmError } from '../errors.js';
import { PROMPT_ALIGNMENTS } from '../runtime/prompt.js';
import { LARGEST_CANDIDATE_COUNT } from '../sampler/check-settings.js';
import { SAMPLERS, TEMPERATURE_LAWS } from '../sampler/settings.js';
import { addModelOptions } from './model-options.js';
import { numberBetween, wholeNumber } from './option-values.js';
import type { GenerateOptions } from './run-generate.js';

const examples = `
Examples:
  calm generate --prompt "Once upon a time" --max-tokens 100
  calm generate --model ./models/calm-m --prompt "The sea" --temperature 0.5 --seed 1
  calm generate --prompt "One day" --json | jq .choices[0].text`;

/** Adds the sub-command to the program. */
export function registerGenerate(program: Command): void {
  const command = program
    .command('generate')
    .description('Print one completion of a prompt.')
    .option(
      '-m, --model <package>',
      'folder of a model package, or name of one that comes with calm-serve (default: the first of models/default.json)',
    )
    .option('--prompt <text>', 'text to continue; without it a new document begins')
    .option('--prompt-ids <ids>', 'token ids to continue instead, such as 12,7,99', readIds)
    .option('--max-tokens <count>', 'most tokens to generate', wholeNumber(0), 128)
    .option('--temperature <number>', "0 to 2 (default: the model's own)", numberBetween(0, 2))
    .option(
      '--seed <number>',
      'whole number; the same seed gives the same text',
      wholeNumber(-(2 ** 53), 2 ** 53),
    )
    .option(
      '--num-candidates <count>',
      'most candidates that one step may draw',
      wholeNumber(1, LARGEST_CANDIDATE_COUNT),
    )
    .addOption(
      new Option('--sampler <name>', 'how hard the law of a temperature below 1 is pursued').choices(
        SAMPLERS,
      ),
    )
    .addOption(
      new Option('--temperature-law <name>', 'what the temperature acts on').choices(TEMPERATURE_LAWS),
    )
    .addOption(
      new Option('--prompt-alignment <name>', 'how a prompt comes to end on a chunk border').choices(
        PROMPT_ALIGNMENTS,
      ),
    )
    .option('--echo', 'print the prompt in front of the completion')
    .option('--stream', 'print the text as it is generated (default on a terminal)')
    .option('--no-stream', 'print the text when it is complete')
    .option('--json', "print the server's answer as one JSON object, token ids included");
  addModelOptions(command)
    .addHelpText('after', examples)
    .action(async (options: GenerateOptions) => {
      if (options.prompt !== undefined && options.promptIds) {
        throw new CalmError('bad_usage', 'Give --prompt or --prompt-ids, not both.');
      }
      const { generate } = await import('./run-generate.js');
      await generate(options);
    });
}

function readIds(text: string): number[] {
  const ids = text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(Number);
  if (ids.length > 0 && ids.every(id => Number.isSafeInteger(id) && id >= 0)) return ids;
  throw new InvalidArgumentError('It must be token ids with commas between them.');
}
