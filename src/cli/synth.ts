/** `calm synth`: a package of random weights in a known shape, for benchmarks. */
import { Argument, type Command, Option } from 'commander';
import { activationType } from '../convert/convert.js';
import { type HeadKind, synthesize } from '../convert/synth.js';
import { SYNTH_SHAPES, type SynthShape } from '../convert/synth-shapes.js';
import type { ActivationType, WeightType } from '../convert/weights/weight-store.js';
import { reportJson, reportText, withProgress } from './convert-progress.js';
import { addWeightOptions, headStepsOption } from './weight-options.js';

interface SynthCommandOptions {
  readonly weights: WeightType;
  readonly activations?: ActivationType;
  readonly head?: HeadKind;
  readonly headSteps?: number;
  readonly out: string;
  readonly force?: true;
  readonly json?: true;
}

const examples = `
Examples:
  calm synth calm-m --out models/calm-m-random --weights int8
  calm synth transformer-s --out models/transformer-s-random`;

/** Adds the sub-command to the program. */
export function registerSynth(program: Command): void {
  const command = program
    .command('synth')
    .description('Write a package of random weights in the shape of a published model, for benchmarks.')
    .addArgument(new Argument('<shape>', 'the shape').choices(Object.keys(SYNTH_SHAPES)))
    .requiredOption('--out <folder>', 'package folder to write');
  addWeightOptions(command)
    .addOption(
      new Option('--head <kind>', "a CALM's head (default: energy)").choices(['energy', 'flow', 'diffusion']),
    )
    .addOption(headStepsOption())
    .option('--force', 'replace an existing package folder')
    .option('--json', 'print the report as one JSON object')
    .addHelpText('after', examples)
    .action((shape: SynthShape, options: SynthCommandOptions) => {
      const { weights, out, head, headSteps, force = false } = options;
      const activations = activationType(options);
      const report = withProgress('Writing', onProgress =>
        synthesize({ shape, head, headSteps, out, weights, activations, force }, onProgress),
      );
      console.log((options.json ? reportJson : reportText)(out, report));
    });
}
