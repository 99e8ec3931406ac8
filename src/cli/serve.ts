/** `calm serve`: models behind an OpenAI-compatible HTTP server. */
import type { Command } from 'commander';
import { CalmError } from '../errors.js';
import { defaultModels } from './default-models.js';
import { addModelOptions } from './model-options.js';
import type { ModelChoice } from './open-models.js';
import { collect, wholeNumber } from './option-values.js';
import type { ServeOptions } from './run-server.js';

const examples = `
Examples:
  calm serve                                      serve the models that come with calm-serve
  calm serve --model calm-stories --port 9000     one of them, by name
  calm serve --model ./models/calm-m --model ./models/transformer-s
  calm serve --host 0.0.0.0 --max-num-seqs 64 --kv-cache-memory 4GiB

Then, from another terminal:
  curl -N http://127.0.0.1:8000/v1/completions -H 'content-type: application/json' \\
    -d '{"prompt": "Once upon a time", "max_tokens": 64, "stream": true}'`;

/** Adds the sub-command to the program. */
export function registerServe(program: Command): void {
  const command = program
    .command('serve')
    .description('Serve models on an OpenAI-compatible HTTP API (POST /v1/completions, GET /v1/models).')
    .option(
      '--model <package>',
      'folder of a model package, or name of one that comes with calm-serve; may be repeated, and the first ' +
        'answers requests that name no model (default: what models/default.json names)',
      collect,
    )
    .option(
      '--served-model-name <name>',
      'name that clients use for the model; given as often as --model, in the same order',
      collect,
    )
    .option('--host <address>', 'address to listen on; 0.0.0.0 for every network', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 takes any free one', wholeNumber(0, 65_535), 8000)
    .option(
      '--max-waiting <count>',
      'requests that may wait for a slot; more are refused with 429',
      wholeNumber(0),
      512,
    )
    .option(
      '--shutdown-timeout <seconds>',
      'time that running requests get to finish after SIGINT or SIGTERM',
      wholeNumber(0, 86_400),
      30,
    );
  addModelOptions(command)
    .addHelpText('after', examples)
    .action(async (options: ServeOptions) => {
      const choices = chooseModels(options);
      // Loaded here so that other commands, and --help, need neither the native library nor the HTTP server.
      const { runServer } = await import('./run-server.js');
      await runServer(choices, options);
    });
}

/** @throws CalmError bad_usage where names and models are not equally many */
export function chooseModels(
  options: Pick<ServeOptions, 'model' | 'servedModelName'>,
): [ModelChoice, ...ModelChoice[]] {
  const models = options.model ?? defaultModels();
  const names = options.servedModelName;
  if (names && names.length !== models.length) {
    throw new CalmError(
      'bad_usage',
      `--served-model-name must be given once for each model. Given: ${names.length} for ${models.length}.`,
    );
  }
  return models.map((model, index) => ({ model, servedName: names?.[index] })) as [
    ModelChoice,
    ...ModelChoice[],
  ];
}
