/** `npm run loadtest`: runs, reports, and ends with a sentence and an exit code whatever happens. */
import { CommanderError } from 'commander';
import { systemClock } from './clock.js';
import { type CommandOptions, createCommand } from './command.js';
import { reportJson } from './report/json.js';
import { reportMarkdown } from './report/markdown.js';
import { isClean } from './report/report.js';
import { UsageError } from './usage-error.js';

const failureCode = 1;
const usageCode = 2;
const defaultFolder = 'loadtest-report';

// The reader of a pipe may leave early, as `head` does; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : failureCode);
});

async function run(options: CommandOptions, serveOptions: readonly string[]): Promise<void> {
  // Loaded here so that --help and wrong calls need neither autocannon nor the charts.
  const { runLoadtest } = await import('./run-loadtest.js');
  const report = await runLoadtest(options, serveOptions, {
    args: process.argv.slice(2),
    environment: process.env,
    clock: systemClock,
    progressStream: process.stderr,
  });
  process.stdout.write(options.json ? `${reportJson(report)}\n` : reportMarkdown(report));
  const folder = options.out ?? (options.json ? null : defaultFolder);
  if (folder !== null) {
    const { writeReport } = await import('./report/write-report.js');
    writeReport(report, folder);
    process.stderr.write(`Wrote ${folder}/report.html, .md, .csv and .json.\n`);
  }
  if (!isClean(report)) process.exitCode = failureCode;
}

// A server that the run has started is killed when this process exits; an interrupt alone would leave it behind.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

try {
  await createCommand(run).parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : usageCode;
  } else if (error instanceof UsageError) {
    process.stderr.write(`loadtest: ${error.message}\n`);
    process.exitCode = usageCode;
  } else {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`loadtest: unexpected failure: ${reason}\n`);
    if (process.env.LOADTEST_DEBUG === '1' && error instanceof Error)
      process.stderr.write(`${error.stack}\n`);
    process.exitCode = failureCode;
  }
}
