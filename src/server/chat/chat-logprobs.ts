/** The `logprobs` of an answer in a chat. */
import type { TokenLogprob, TokenLogprobs } from '../../sampler/token-sampling/token-logprobs.js';
import type { TokenNames } from '../answers/token-names.js';

interface ChatToken {
  readonly token: string;
  readonly logprob: number;
  /** Its UTF-8 bytes, so that characters can be put together that several tokens share; null for no text. */
  readonly bytes: readonly number[] | null;
}

export interface ChatLogprobs {
  readonly content: readonly (ChatToken & { readonly top_logprobs: readonly ChatToken[] })[];
  readonly refusal: null;
}

export function chatLogprobs(entries: readonly TokenLogprobs[], names: TokenNames): ChatLogprobs {
  const describe = ({ token, logprob }: TokenLogprob): ChatToken => {
    const bytes = names.bytes(token);
    return { token: names.name(token), logprob, bytes: bytes && [...bytes] };
  };
  const content = entries.map(entry => ({ ...describe(entry), top_logprobs: entry.top.map(describe) }));
  return { content, refusal: null };
}
