/** The options of the commands that write packages: how matrices are stored, and what is computed in. */
import { type Command, Option } from 'commander';
import { wholeNumber } from './option-values.js';

/** Adds `--weights` and `--activations`; `note` completes what the second one says. */
export function addWeightOptions(command: Command, note = ''): Command {
  return command
    .addOption(
      new Option('--weights <type>', 'how the matrices are stored')
        .choices(['fp32', 'int8', 'int4', 'fp16'])
        .default('int8'),
    )
    .addOption(
      new Option('--activations <type>', `type of hidden states and cache${note}`).choices(['fp32', 'fp16']),
    );
}

/** `--head-steps`. */
export function headStepsOption(): Option {
  return new Option(
    '--head-steps <count>',
    'steps of a flow or diffusion head (default: 10 midpoint steps, 100 respaced steps)',
  ).argParser(wholeNumber(1));
}
