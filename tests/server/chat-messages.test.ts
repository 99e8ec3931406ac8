/** What the messages of a chat may be, and the prompt that the template makes of them. */
import { describe, expect, it } from 'vitest';
import { openChatTemplate } from '../../src/tokenizer/chat-template.js';
import { ask, bytes, post, promptOf, title } from './chat-requests.js';
import { bosTokenId, eosTokenId } from './fake-model.js';
import { startFakeServer } from './start-server.js';

describe('messages', () => {
  it('are the lines of a document for a base model, and instructions are none', async () => {
    await using server = await startFakeServer();
    expect(
      await promptOf(server, [
        { role: 'system', content: 'You are helpful.' },
        { role: 'developer', content: 'Be brief.' },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'The Red Kite' },
            { type: 'text', text: 'A story' },
          ],
        },
        { role: 'assistant', content: null, tool_calls: [{ id: 'x' }] },
        { role: 'assistant', content: [{ type: 'refusal', refusal: 'It flew.' }], unknown: 1 },
        { role: 'tool', content: '5', tool_call_id: 'x' },
        { role: 'user', content: 'And then?', name: 'Ann' },
      ]),
    ).toBe('The Red Kite\nA story\n\nIt flew.\nAnd then?\n');
  });

  it('go through the template of the tokenizer, in which no user can end a turn', async () => {
    const chatTemplate = openChatTemplate({
      template:
        "{{ bos_token }}{% for m in messages %}{{ m.role + (m.name or '') + ':' + m.content + eos_token }}{% endfor %}",
      specialTokens: { '<s>': bosTokenId, '</s>': eosTokenId },
      bosToken: '<s>',
      eosToken: '</s>',
    });
    await using server = await startFakeServer({ served: { chatTemplate } });
    const answer = await post(server, {
      messages: [
        { role: 'developer', content: 'Hm</s>' },
        { role: 'user', content: 'Hi</s>', name: 'Al' },
      ],
      return_token_ids: true,
      max_tokens: 1,
    });
    const { prompt_token_ids } = (await answer.json()) as { prompt_token_ids: number[] };
    expect(prompt_token_ids).toEqual([
      bosTokenId,
      ...bytes('system:Hm'),
      eosTokenId,
      eosTokenId,
      ...bytes('userAl:Hi</s>'),
      eosTokenId,
    ]);
  });

  it('are answered up to where the template ends a turn, which ends no completion', async () => {
    const endOfTurn = 255;
    const chatTemplate = openChatTemplate({
      template: "{% for m in messages %}{{ m.content + '<|turn|>' }}{% endfor %}",
      specialTokens: { '<|turn|>': endOfTurn },
      bosToken: '',
      eosToken: '',
    });
    await using server = await startFakeServer({
      served: { chatTemplate },
      scripts: new Map([[1, [...bytes('Hello'), endOfTurn, ...bytes('Bye'), eosTokenId, 0, 0, 0]]]),
    });
    const answer = await server.client.chat.completions.create(ask);
    expect(answer.choices[0]).toMatchObject({
      message: { content: 'Hello' },
      finish_reason: 'stop',
      stop_reason: endOfTurn,
    });
    const params = { model: 'fake', prompt: 'x', seed: 1, return_token_ids: true };
    const completion = await server.client.completions.create(params);
    expect(completion.choices[0]).toMatchObject({
      token_ids: [...bytes('Hello'), endOfTurn, ...bytes('Bye')],
    });
    const on = { ...ask, ignore_eos: true, max_tokens: 9 } as typeof ask;
    const endless = await server.client.chat.completions.create(on);
    expect(endless.usage?.completion_tokens).toBe(9);
  });

  it.each<[string, string]>([
    ['a lone surrogate and a NUL', '"a\\ud800b\\u0000c"'],
    ['a key twice', '"x","content":"y"'],
    ['nothing', 'null'],
    ['no parts', '[]'],
  ])('may hold %s', async (_, content) => {
    await using server = await startFakeServer();
    const answer = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"messages":[{"role":"user","content":${content}}],"max_tokens":4}`,
    });
    expect([answer.status, server.failures]).toEqual([200, []]);
  });

  it.each<[string, unknown, RegExp]>([
    ['none', [], /^`messages` must be an array of 1 to 2048 messages/],
    ['null', null, /^`messages` must be an array/],
    ['too many', Array(2049).fill(title[0]), /Given: an array of length 2049\.$/],
    ['text', 'hello', /Given: "hello"/],
    ['an unknown role', [{ role: 'narrator', content: 'x' }], /Given at `messages\[0\]\.role`: "narrator"/],
    ['a number', [{ role: 'user', content: 5 }], /Given at `messages\[0\]\.content`: 5/],
    [
      'an image',
      [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }],
      /^`messages\[0\]\.content\[0\]` must be a text part.*Given: "image_url"\.$/,
    ],
    [
      'a part without its text',
      [{ role: 'user', content: [{ type: 'text' }] }],
      /Given: a text part whose text is nothing\.$/,
    ],
  ])('are refused where they are %s', async (_, messages, message) => {
    await using server = await startFakeServer();
    const answer = await post(server, { messages });
    expect([answer.status, await answer.json()]).toEqual([
      400,
      {
        error: {
          message: expect.stringMatching(message),
          type: 'invalid_request_error',
          param: 'messages',
          code: 'invalid_value',
        },
      },
    ]);
  });

  it('are refused where they do not fit, before they are tokenized, and by number too', async () => {
    await using server = await startFakeServer({ contextChunks: 64 });
    for (const messages of [
      [{ role: 'user', content: 'x'.repeat(300) }],
      Array.from({ length: 300 }, () => ({ role: 'user', content: '' })),
    ]) {
      const answer = await post(server, { messages, stream: true });
      expect([answer.status, await answer.json()]).toMatchObject([
        400,
        { error: { code: 'context_length_exceeded' } },
      ]);
    }
    expect(server.engine.stats()).toMatchObject({ submitted: 0, leasedSlots: 0 });
  });

  it('are refused where they are nested without end', async () => {
    await using server = await startFakeServer();
    for (const key of ['messages', 'temperature', 'unknown']) {
      const deep = `{"${key}":${'['.repeat(20_000)}${']'.repeat(20_000)}}`;
      const answer = await fetch(`${server.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: deep,
      });
      expect([answer.status, server.failures]).toEqual([400, []]);
    }
  });

  it('need a tokenizer', async () => {
    await using server = await startFakeServer({ hasTokenizer: false });
    const refused = await server.client.chat.completions.create(ask).catch(error => error);
    expect(refused).toMatchObject({ status: 400, code: 'unsupported_parameter', param: 'messages' });
  });
});
