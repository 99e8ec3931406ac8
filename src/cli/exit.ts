/** How a command ends: 0 when it did its work, 2 for a wrong call, 1 for anything else, with one sentence each. */
import { CommanderError } from 'commander';
import { CalmError } from '../errors.js';

const usageCode = 2;
const failureCode = 1;

/** The exit code for what a command threw. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageCode;
  return error instanceof CalmError && error.code === 'bad_usage' ? usageCode : failureCode;
}

/**
 * What the user is told, or null where commander has told it already. A stack trace only with CALM_DEBUG=1.
 */
export function describeFailure(error: unknown, isDebug: boolean): string | null {
  if (error instanceof CommanderError) return null;
  if (isDebug && error instanceof Error) return `calm: ${error.stack ?? error.message}`;
  if (error instanceof CalmError) return `calm: ${error.message}`;
  const reason = error instanceof Error ? error.message : String(error);
  return `calm: unexpected failure: ${reason}. Set CALM_DEBUG=1 to see where.`;
}
