/** `calm serve`: models behind an OpenAI-compatible HTTP server. */
import type { Command } from 'commander';
import { CalmError } from '../errors.js';
import { defaultModels } from './default-models.js';
import type { ModelChoice } from './open-models.js';
import { readSettings } from './read-settings.js';
import { addServeOptions } from './setting-options.js';
import type { ServeSettings } from './settings.js';

const examples = `
Every option may also come from the environment (--max-num-seqs as CALM_MAX_NUM_SEQS), from a JSON file
({"max-num-seqs": 64}) or from a YAML one (max-num-seqs: 64); a flag goes before the environment, and that before the file.

Examples:
  calm serve                                      serve the models that come with calm-serve
  calm serve --model calm-stories --port 9000     one of them, by name
  calm serve --model ./models/calm-m --model ./models/transformer-s
  calm serve --host 0.0.0.0 --max-num-seqs 64 --kv-cache-memory 4GiB --api-key-file keys.txt
  calm serve --config calm.json

Then, from another terminal:
  curl -N http://127.0.0.1:8000/v1/completions -H 'content-type: application/json' \\
    -d '{"prompt": "Once upon a time", "max_tokens": 64, "stream": true}'`;

/** Adds the sub-command to the program. */
export function registerServe(program: Command): void {
  const command = program
    .command('serve')
    .description('Serve models on an OpenAI-compatible HTTP API (POST /v1/completions, GET /v1/models).');
  addServeOptions(command)
    .addHelpText('after', examples)
    .action(async ({ config, ...flags }: { readonly config?: string }) => {
      const settings = readSettings({ flags, environment: process.env, file: config });
      const choices = chooseModels(settings);
      // Loaded here so that other commands, and --help, need neither the native library nor the HTTP server.
      const { runServer } = await import('./run-server.js');
      await runServer(choices, settings);
    });
}

/** @throws CalmError bad_usage where names and models are not equally many */
export function chooseModels(
  options: Partial<Pick<ServeSettings, 'model' | 'servedModelName'>>,
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
