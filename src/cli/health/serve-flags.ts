/** The options of a `calm serve` that runs: what its process was started with. */
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { CalmError } from '../../errors.js';
import { addServeOptions } from '../setting-options.js';

/**
 * Reads them from /proc. A process that starts another one, such as Docker's own init, names them as well.
 *
 * @returns none where the process was not started as `calm serve`: a shell, say, whose server takes variables
 * @throws CalmError bad_usage where there is no such process, or no /proc
 */
export function readServeFlags(pid: number): Readonly<Record<string, unknown>> {
  const words = readCommandLine(pid).split('\0');
  const at = words.findIndex(
    (word, index) => word === 'serve' && /(^|\/)calm(\.js)?$/.test(words[index - 1] ?? ''),
  );
  if (at < 0) return {};
  const command = addServeOptions(new Command()).exitOverride();
  return command.parse(words.slice(at + 1, -1), { from: 'user' }).opts();
}

function readCommandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch (cause) {
    throw new CalmError(
      'bad_usage',
      `--like-process must be a process of this Linux system that this user may look at. Given: ${pid}.`,
      { cause },
    );
  }
}
