/** What the tests of chats send, and a model that recites. */
import type OpenAI from 'openai';
import { eosTokenId } from './fake-model.js';
import { type FakeServer, startFakeServer } from './start-server.js';

export type Message = OpenAI.ChatCompletionMessageParam;

export const bytes = (text: string): number[] => [...Buffer.from(text)];
export const title: Message[] = [{ role: 'user', content: 'The Red Kite' }];
export const ask = { model: 'fake', messages: title, seed: 1 };

/** A server whose model recites `text` and then ends, for any request with seed 1. */
export const reciting = (text: string) =>
  startFakeServer({ scripts: new Map([[1, [...bytes(text), eosTokenId, 0, 0, 0]]]) });

export const post = (server: FakeServer, body: object, path = '/v1/chat/completions'): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...ask, ...body }),
  });

/** Text of the prompt that the model was given for these messages. */
export async function promptOf(server: FakeServer, messages: unknown): Promise<string> {
  const answer = await post(server, { messages, return_token_ids: true, max_tokens: 1 });
  const { prompt_token_ids } = (await answer.json()) as { prompt_token_ids: number[] };
  return Buffer.from(prompt_token_ids).toString();
}
