/** The tokenizer over a socket, as evaluation harnesses and front ends of vLLM and llama-server ask for it. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bosTokenId, eosTokenId } from './fake-model.js';
import { type FakeServer, startFakeServer } from './start-server.js';

let server: FakeServer;
beforeAll(async () => {
  server = await startFakeServer({ contextChunks: 64 });
});
afterAll(() => server[Symbol.asyncDispose]());

const bytes = (text: string): number[] => [...Buffer.from(text)];

async function post(path: string, body: object, to: FakeServer = server) {
  const response = await fetch(`${to.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function get(path: string, from: FakeServer = server) {
  const response = await fetch(`${from.url}${path}`);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('POST /tokenize', () => {
  it.each(['/tokenize', '/v1/tokenize', '/tokenize/'])('answers at %s', async path => {
    expect(await post(path, { prompt: 'hé', add_special_tokens: false })).toEqual({
      status: 200,
      body: { tokens: bytes('hé'), count: 3, max_model_len: 256 },
    });
  });

  it('takes the text by either name, and special tokens in it for text', async () => {
    const text = 'a<|end_of_text|>';
    expect((await post('/tokenize', { content: text })).body.tokens).toEqual(bytes(text));
    expect((await post('/tokenize', { prompt: '' })).body).toMatchObject({ tokens: [], count: 0 });
  });

  it('puts the start of a document in front where it is asked to', async () => {
    for (const field of ['add_special_tokens', 'add_special']) {
      expect((await post('/tokenize', { prompt: 'a', [field]: true })).body.tokens).toEqual([bosTokenId, 97]);
    }
  });

  it('gives the texts of the tokens too', async () => {
    const { body } = await post('/tokenize', { prompt: 'ab', add_special: true, return_token_strs: true });
    expect(body.token_strs).toEqual(['<|begin_of_text|>', 'a', 'b']);
  });

  it('tokenizes a conversation as a chat would', async () => {
    const messages = [{ role: 'user', content: 'Hi' }];
    expect((await post('/tokenize', { messages })).body.tokens).toEqual(bytes('Hi\n'));
  });

  it('counts as a completion does', async () => {
    const prompt = 'Once upon a tïme';
    const { body } = await post('/tokenize', { prompt });
    const { usage } = await server.client.completions.create({ model: 'fake', prompt, max_tokens: 1 });
    expect(usage?.prompt_tokens).toBe(body.count);
  });

  it.each<[string, object, string, RegExp]>([
    ['nothing', {}, 'prompt', /^One of `prompt`, `content` and `messages`/],
    ['a number', { prompt: 5 }, 'prompt', /^`prompt` must be a string\. Given: 5\.$/],
    ['a book', { content: 'x'.repeat(300_000) }, 'prompt', /longer than 262144 bytes\. Given: 300000/],
    ['messages of another kind', { messages: 'x' }, 'messages', /array of 1 to 2048 messages/],
  ])('refuses %s', async (_, body, param, message) => {
    const answer = await post('/tokenize', body);
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { param, message: expect.stringMatching(message) } },
    });
  });

  it('names the served models to who asks for another one', async () => {
    expect(await post('/tokenize', { model: 'x', prompt: 'a' })).toMatchObject({
      status: 404,
      body: { error: { code: 'model_not_found' } },
    });
  });
});

describe('POST /detokenize', () => {
  it('gives the text by both names, special tokens included', async () => {
    const text = 'hé<|end_of_text|>';
    expect(await post('/detokenize', { tokens: [...bytes('hé'), eosTokenId] })).toEqual({
      status: 200,
      body: { prompt: text, content: text },
    });
    expect((await post('/v1/detokenize', { tokens: [] })).body).toEqual({ prompt: '', content: '' });
  });

  it.each<[string, object, RegExp]>([
    ['no tokens', {}, /^`tokens` must be an array of token ids\. Given: nothing\.$/],
    ['an id that the model does not have', { tokens: [1, 258] }, /^`tokens\[1\]` must be .* Given: 258\.$/],
    ['text', { tokens: ['a'] }, /^`tokens` must be an array of token ids/],
  ])('refuses %s', async (_, body, message) => {
    expect(await post('/detokenize', body)).toMatchObject({
      status: 400,
      body: { error: { param: 'tokens', message: expect.stringMatching(message) } },
    });
  });
});

describe('GET /tokenizer_info', () => {
  it('names the special tokens and the chat template', async () => {
    for (const path of ['/tokenizer_info', '/v1/tokenizer_info?model=fake']) {
      expect(await get(path)).toMatchObject({
        status: 200,
        body: {
          model: 'fake',
          vocab_size: 258,
          model_max_length: 256,
          bos_token: '<|begin_of_text|>',
          eos_token: '<|end_of_text|>',
          eos_token_id: eosTokenId,
          chat_template: expect.stringContaining('message.content'),
        },
      });
    }
  });
});

describe('a model without a tokenizer', () => {
  it('says so', async () => {
    await using bare = await startFakeServer({ hasTokenizer: false });
    const answers = [
      await post('/tokenize', { prompt: 'a' }, bare),
      await post('/detokenize', { tokens: [1] }, bare),
      await get('/tokenizer_info', bare),
    ];
    for (const answer of answers) {
      expect(answer).toMatchObject({
        status: 400,
        body: { error: { code: 'unsupported_parameter', message: 'The package of fake has no tokenizer.' } },
      });
    }
  });
});

describe('GET /version', () => {
  it('is the version of the package and of what runs it', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    for (const path of ['/version', '/v1/version']) {
      expect(await get(path)).toEqual({ status: 200, body: { version, node: process.version } });
    }
  });
});
