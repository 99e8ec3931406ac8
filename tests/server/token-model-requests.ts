/** Completions of the token model that the tests serve, with all that it says of its choices. */
import type { TokenServer } from './start-token-server.js';

export const VOCABULARY = 384;
export const ask = { model: 'base', prompt: 'Once', ignore_eos: true, seed: 3, max_tokens: 12 } as const;
/** Left to itself the model repeats its last token for ever. */
export const varied = { repetition_penalty: 8, temperature: 2 };

export interface Choice {
  readonly index: number;
  readonly text: string;
  readonly token_ids: readonly number[];
  readonly finish_reason: string;
  readonly logprobs: {
    readonly tokens: readonly string[];
    readonly token_logprobs: readonly (number | null)[];
    readonly text_offset: readonly number[];
    readonly top_logprobs: readonly (Readonly<Record<string, number>> | null)[];
  } | null;
}

export interface Answer {
  readonly choices: readonly Choice[];
  readonly usage: { readonly completion_tokens: number };
  readonly error?: { readonly param: string; readonly message: string; readonly code: string };
}

/** POSTs to a server what differs from `ask`, and gives the answer. */
export async function postTo(
  server: TokenServer,
  body: object,
  path = '/v1/completions',
): Promise<Answer & { readonly status: number }> {
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...ask, return_token_ids: true, ...body }),
  });
  return { status: response.status, ...((await response.json()) as Answer) };
}
