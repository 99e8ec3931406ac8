/** The command line: which commands there are. */
import { Command } from 'commander';
import { readVersion } from '../server/status/version.js';
import { registerBench } from './bench.js';
import { registerConvert } from './convert.js';
import { registerEval } from './eval.js';
import { registerGenerate } from './generate.js';
import { registerHealth } from './health.js';
import { registerServe } from './serve.js';
import { registerSynth } from './synth.js';
import { registerVerify } from './verify.js';

const about = `
Start here:
  calm serve                       serve the model that comes with calm-serve
  calm generate --prompt "Once"    print a completion
  calm <command> --help            options and examples of a command`;

/** The program with all commands. Errors are thrown, not turned into exits. */
export function createProgram(): Command {
  const program = new Command('calm')
    .description(
      'Serve Continuous Autoregressive Language Models (CALM), which generate several tokens a step.',
    )
    .version(readVersion(), '--version', 'print the version')
    .helpOption('--help', 'show this help')
    .showHelpAfterError('(add --help for the options and examples)')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'calm: ')) })
    .addHelpText('after', about)
    .exitOverride();
  registerServe(program);
  registerHealth(program);
  registerGenerate(program);
  registerConvert(program);
  registerVerify(program);
  registerEval(program);
  registerBench(program);
  registerSynth(program);
  return program;
}
