/**
 * Where a decision draws and draws, and never gets what it may take. Cost: all candidates up to the limit, which is that
 * of the exact sampler, or 4,096 where the chunk's first tokens are given.
 */
import { CalmError } from '../../errors.js';

/** None of `limit` candidates began with the given tokens, or had tokens that the controls allow. */
export function nothingAllowed(limit: number, cause: 'given' | 'controls'): CalmError {
  if (cause === 'given') {
    return new CalmError(
      'sampler_limit',
      `None of ${limit} candidates for the next chunk begins with the prompt's last tokens; use \`prompt_alignment\` "bos".`,
      { param: 'prompt_alignment' },
    );
  }
  return new CalmError(
    'sampler_limit',
    `None of ${limit} candidates for one chunk is allowed: \`logit_bias\` or \`min_tokens\` bans all that this model ` +
      'writes here. Ban fewer tokens.',
    { param: 'logit_bias' },
  );
}
