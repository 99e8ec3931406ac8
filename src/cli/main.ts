/** Runs the command line, and ends with a sentence and an exit code whatever happens. */
import { describeFailure, exitCodeOf } from './exit.js';
import { createProgram } from './program.js';

// The reader of a pipe may leave early, as `head` does; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 1);
});

try {
  await createProgram().parseAsync();
} catch (error) {
  const message = describeFailure(error, process.env.CALM_DEBUG === '1');
  if (message !== null) process.stderr.write(`${message}\n`);
  process.exitCode = exitCodeOf(error);
}
