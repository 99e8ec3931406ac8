/** The refusal of a setting. */
import { CalmError } from '../errors.js';

/** Names the setting, what it must be and what it is. */
export function invalidSetting(param: string, value: unknown, allowed: string): CalmError {
  return new CalmError('invalid_request', `\`${param}\` must be ${allowed}. Given: ${String(value)}`, {
    param,
  });
}
