/** `calm health`: whether a server takes requests, for probes where there is nothing else to ask with. */
import type { Command } from 'commander';
import { askReadiness } from './health/ask-readiness.js';
import { readServeFlags } from './health/serve-flags.js';
import { wholeNumber } from './option-values.js';
import { readSettings } from './read-settings.js';
import { addSettingOptions } from './setting-options.js';
import { listSettings } from './settings.js';

/** What says where a server listens. */
const addressSettings = ['host', 'port', 'sslCertfile'];

const examples = `
The address is found as calm serve finds it: flags, then CALM_HOST, CALM_PORT and CALM_SSL_CERTFILE, then the file of
--config or CALM_CONFIG. The certificate is not checked: it is for the server's name, and seldom for its own address.

Examples:
  calm health                                     the server on http://127.0.0.1:8000
  calm health --port 9000 --ssl-certfile server.pem
  calm health --like-process 1                    in a container, the server that it was started with`;

interface HealthOptions {
  readonly config?: string;
  readonly likeProcess?: number;
  readonly [flag: string]: unknown;
}

/** Adds the sub-command to the program. */
export function registerHealth(program: Command): void {
  const command = program
    .command('health')
    .description('Ask a server whether it takes requests (GET /readyz): exit code 0 where it does, else 1.');
  addSettingOptions(
    command,
    listSettings().filter(({ name }) => addressSettings.includes(name)),
  )
    .option(
      '--like-process <pid>',
      'take the options of calm serve from the process that was started with them (Linux)',
      wholeNumber(1),
    )
    .addHelpText('after', examples)
    .action(async ({ likeProcess, ...given }: HealthOptions) => {
      const started = likeProcess === undefined ? {} : readServeFlags(likeProcess);
      const { config, ...flags }: HealthOptions = { ...started, ...given };
      const { isReady, sentence } = await askReadiness(
        readSettings({ flags, environment: process.env, file: config }),
      );
      (isReady ? process.stdout : process.stderr).write(`${sentence}\n`);
      process.exitCode = isReady ? 0 : 1;
    });
}
