/** Calls that cannot be carried out end before anything is started or sent. */
import { expect, it } from 'vitest';
import { systemClock } from './clock.js';
import { createCommand } from './command.js';
import { runLoadtest } from './run-loadtest.js';

async function run(...args: string[]): Promise<unknown> {
  const command = createCommand(async (options, serveOptions) => {
    await runLoadtest(options, serveOptions, {
      args,
      environment: {},
      clock: systemClock,
      progressStream: process.stderr,
    });
  });
  return command.parseAsync(args, { from: 'user' });
}

// Port 9 discards: nothing must be sent there.
const target = ['--target', 'a=http://127.0.0.1:9'];

it.each([
  [[...target, '--model', 'b'], '--model and options after --'],
  [[...target, '--', '--threads', '1'], '--model and options after --'],
  [[...target, ...target], 'Two targets are named a'],
  [[...target, '--baseline', 'b'], '--baseline names no target: "b"'],
  [[...target, '--flops', 'a=much'], '--flops must look like'],
  [[...target, '--brierlm', 'a=good'], '--brierlm must look like'],
  [[...target, '--prompts', 'missing.txt'], 'missing.txt'],
  [['--prompts', 'missing.txt'], 'missing.txt'],
])('refuses %j', async (args, words) => {
  await expect(run(...args)).rejects.toMatchObject({
    name: 'UsageError',
    message: expect.stringContaining(words),
  });
});
