/** A completion server that speaks as llama.cpp's llama-server does (tools/server of 2026). */
import type { ServerResponse } from 'node:http';
import { type Behaviour, type FakeServer, sendJson, startFakeServer, startStream } from './fake-server.js';

const modelName = 'tiny-q8_0.gguf';
const build = 'b7000-0123abc';

/** What llama-server says of a model file that was given no alias. */
const routes = {
  '/v1/models': {
    models: [{ name: modelName, model: modelName, type: 'model', capabilities: ['completion'] }],
    object: 'list',
    data: [
      {
        id: modelName,
        aliases: [],
        object: 'model',
        created: 1_790_000_000,
        owned_by: 'llamacpp',
        meta: { vocab_type: 2, n_vocab: 2048, n_ctx_train: 2048, n_embd: 256, n_params: 7e6, size: 8e6 },
      },
    ],
  },
  '/props': { total_slots: 1, model_path: modelName, build_info: build },
};

/**
 * Texts of the tokens as events carry them, over and over: null is a token that ends in the middle of a character, for
 * which no event is sent; '' one that has no text, such as a control token.
 */
export const llamaTexts: readonly (string | null)[] = [
  ' Once',
  null,
  ' 🦊',
  '',
  ' ran',
  ' a',
  'way',
  ',',
  ' an',
  'd',
];

/** An answer ends after so many tokens where ends are not ignored. */
export const naturalTokens = 6;

const head = {
  created: 1_790_000_000,
  model: modelName,
  system_fingerprint: build,
  object: 'text_completion',
  id: 'chatcmpl-0123456789',
};

/** Answers as llama-server does: usage in the last event, whatever was asked for, with timings that tell no draws. */
export const answerAsLlama: Behaviour = (body, response) => {
  const count = body.ignore_eos ? body.max_tokens : Math.min(naturalTokens, body.max_tokens);
  const pieces = Array.from({ length: count }, (_, index) => pieceAt(index));
  const end = {
    choice: { index: 0, logprobs: null, finish_reason: count === body.max_tokens ? 'length' : 'stop' },
    rest: { ...head, usage: usageOf(4, count), timings: timingsOf(4, count) },
  };
  if (!body.stream) {
    sendJson(response, 200, { choices: [{ text: pieces.join(''), ...end.choice }], ...end.rest });
    return;
  }
  startStream(response);
  // What keeps a silent connection open.
  response.write(':\n\n');
  const texts = pieces.filter(text => text !== null);
  const events = texts.map(text => ({
    choices: [{ text, index: 0, logprobs: null, finish_reason: null }],
    ...head,
  }));
  sendSplit(response, [...events, { choices: [{ text: '', ...end.choice }], ...end.rest }]);
};

/** Serves one model. */
export function startLlamaServer(behave: Behaviour = answerAsLlama): Promise<FakeServer> {
  return startFakeServer(behave, { routes });
}

function pieceAt(index: number): string | null {
  const text = llamaTexts[index % llamaTexts.length] ?? null;
  // Numbers keep long answers from looking like loops.
  return text ? `${text}${index}` : text;
}

function usageOf(promptTokens: number, completionTokens: number) {
  return {
    completion_tokens: completionTokens,
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: promptTokens - 1 },
  };
}

function timingsOf(promptTokens: number, completionTokens: number) {
  return {
    cache_n: promptTokens - 1,
    prompt_n: 1,
    prompt_ms: 2.5,
    prompt_per_token_ms: 2.5,
    prompt_per_second: 400,
    predicted_n: completionTokens,
    predicted_ms: 12.5,
    predicted_per_token_ms: 12.5 / completionTokens,
    predicted_per_second: completionTokens / 0.0125,
  };
}

/** In writes that end anywhere, in the middle of characters too. */
function sendSplit(response: ServerResponse, events: readonly object[]): void {
  const lines = [...events.map(event => JSON.stringify(event)), '[DONE]'];
  const bytes = Buffer.from(lines.map(line => `data: ${line}\n\n`).join(''));
  const size = 61;
  for (let from = 0; from < bytes.length; from += size) response.write(bytes.subarray(from, from + size));
  response.end();
}
